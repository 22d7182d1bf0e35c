"""The command tree as completion scripts need it: every command with its words, and the kind of value that follows.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rancherctl.bundle.distribution.systems import SYSTEMS
from rancherctl.cli.args import PASS_THROUGH
from rancherctl.cli.docs.tree import CommandNode
from rancherctl.cli.docs.tree import Option as TreeOption
from rancherctl.hosts.model import SSH_CLIENTS
from rancherctl.settings import COLORS, FORMATS, PROGRESS

KINDS: Final = {
    "ENV": "environments",
    "HOST": "hosts",
    "INGRESS": "ingresses",
    "SERVICE": "services",
    "LAB": "labs",
    "CONTEXT": "contexts",
}
"""Metavars whose values are names from the cache, and the cache file of each."""
CHOICES: Final = {
    "FORM": FORMATS,
    "CLIENT": SSH_CLIENTS,
    "WHEN": COLORS,
    "STYLE": PROGRESS,
    "SHELL": ("bash", "zsh", "fish"),
    "TOPIC": ("annotations", "environment", "exit-codes", "files"),
    "ARCH": ("amd64", "arm64"),
    "HOW": ("fail", "replace", "rename"),
    "SOURCE": ("official", "modules"),
    "SYSTEM": SYSTEMS,
    "TYPE": ("A", "AAAA", "CNAME", "NS", "PTR", "SOA", "SRV", "TXT"),
}


def values(metavar: str) -> str:
    """What completes a value: ``@KIND`` (names from the cache), ``@file``, ``@none`` or the words themselves."""
    word = metavar.strip("[]<>{}").rstrip(".")
    if word in KINDS:
        return f"@{KINDS[word]}"
    if word in CHOICES:
        return " ".join(CHOICES[word])
    if "|" in word and word.islower():
        return word.replace("|", " ")
    return "@file" if word in ("FILE", "DIR", "BUNDLE") else "@none"


@dataclass(frozen=True, slots=True)
class CompletionPlace:
    """A command in a completion script: its subcommands, options and arguments."""

    path: str
    children: tuple[tuple[str, str], ...]
    options: tuple[TreeOption, ...]
    arguments: tuple[str, ...]


def places(root: CommandNode) -> Iterator[CompletionPlace]:
    """Every command and group, each with the global options."""
    for node in root.walk():
        own = {name for option in node.options for name in option.names}
        inherited = tuple(
            o
            for o in root.options
            if node.path and not own & set(o.names) and o.names[0] not in ("--version", "-h", "--help")
        )
        children = tuple((child.path[-1], child.summary) for child in node.children)
        through = node.path in PASS_THROUGH
        yield CompletionPlace(
            " ".join(node.path),
            children,
            node.options if through else (*node.options, *inherited),
            tuple(values(a.metavar) for a in node.arguments),
        )


def aliases(root: CommandNode) -> list[tuple[str, str, str]]:
    """(path of the parent, alias, command) for every alias."""
    return [(" ".join(node.path[:-1]), alias, node.path[-1]) for node in root.walk() for alias in node.aliases]
