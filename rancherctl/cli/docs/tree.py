"""The command tree as values, for completions, man pages and contract tests. Imports every noun: slow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from rancherctl.cli.groups import VERB_ALIASES


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its spellings, whether it takes a value, the value's metavar, its help."""

    names: tuple[str, ...]
    takes_value: bool
    metavar: str
    help: str


@dataclass(frozen=True, slots=True)
class Argument:
    """One positional argument."""

    metavar: str
    help: str
    many: bool
    required: bool


@dataclass(frozen=True, slots=True)
class CommandNode:
    """One command or group.

    ``path`` is () for the root, ("env", "ls") for a verb; ``examples`` follow ``Examples:``.
    """

    path: tuple[str, ...]
    aliases: tuple[str, ...]
    summary: str
    text: str
    examples: tuple[str, ...]
    usage: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    children: tuple[CommandNode, ...]

    def walk(self) -> Iterator[CommandNode]:
        """This node and all its descendants, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


def read(command: Any, prog: str = "rancherctl") -> CommandNode:
    """The tree of a root command."""
    return _node(command, (), typer.Context(command, info_name=prog, **command.context_settings), ())


def _node(command: Any, path: tuple[str, ...], ctx: Any, aliases: tuple[str, ...]) -> CommandNode:
    summary, text, examples = _help(command.help or "")
    children = []
    for name in command.list_commands(ctx) if hasattr(command, "list_commands") else ():
        child = command.get_command(ctx, name)
        if child is None or child.hidden:
            continue
        below = typer.Context(child, info_name=name, parent=ctx)
        children.append(_node(child, (*path, name), below, _aliases(command, name, path)))
    options = tuple(_option(p, ctx) for p in command.get_params(ctx) if p.param_type_name == "option" and not p.hidden)
    arguments = tuple(
        Argument(p.make_metavar(ctx=ctx).rstrip(".").strip("[]<>"), p.help or "", p.nargs != 1, p.required)
        for p in command.get_params(ctx) if p.param_type_name == "argument"
    )  # fmt: skip
    usage = " ".join(command.collect_usage_pieces(ctx))
    return CommandNode(path, aliases, summary, text, examples, usage, options, arguments, tuple(children))


def _aliases(parent: Any, name: str, path: tuple[str, ...]) -> tuple[str, ...]:
    if not path:
        entry = parent.nouns.get(name)
        return tuple(entry.aliases) if entry else ()
    return tuple(alias for alias, verb in VERB_ALIASES.items() if verb == name)


def _option(param: Any, ctx: Any) -> Option:
    value = not (getattr(param, "is_flag", False) or getattr(param, "count", False))
    metavar = param.make_metavar(ctx=ctx).strip("<>") if value and param.name != "help" else ""
    spelled = (*param.opts, *param.secondary_opts)
    names = tuple(sorted(spelled, key=len)) if param.name == "help" else spelled  # the parser does not order these two
    return Option(names, value and param.name != "help", metavar, param.help or "")


def _help(text: str) -> tuple[str, str, tuple[str, ...]]:
    paragraphs = text.strip().split("\n\n")
    summary, rest, examples = " ".join(paragraphs[0].split()), [], []
    for paragraph in paragraphs[1:]:
        lines = [line for line in paragraph.splitlines() if line.strip() != "\b"]
        if lines and lines[0].strip() == "Examples:":
            examples += [line.strip() for line in lines[1:]]
        else:
            rest.append(" ".join(" ".join(lines).split()))
    return summary, "\n\n".join(rest), tuple(examples)
