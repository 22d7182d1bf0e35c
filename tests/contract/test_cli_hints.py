"""Every command and option that a text of the program names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from rancherctl.cli.args import PASS_THROUGH
from rancherctl.cli.docs.topics import TOPICS
from rancherctl.cli.docs.tree import CommandNode, read
from rancherctl.cli.groups import VERB_ALIASES
from rancherctl.cli.root import command

ROOT = Path(__file__).resolve().parents[2] / "rancherctl"
TREE = read(command())
GLOBAL = {name for option in TREE.options for name in option.names}
ANY = {name for node in TREE.walk() for option in node.options for name in option.names}
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
FOREIGN = re.compile(r"\b(kubectl|journalctl|systemctl|ssh|ssh-keygen|apt-get|openssl|ip|nft|sudo)\b[^;,()`]*")
"""Commands of other programs, to the end of their clause: their options are not checked."""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a module except docstrings; values inserted at run time are X."""
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | parts:
            yield node.lineno, node.value


def hints(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of the hints and reasons of errors."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in ("hint", "why"):
                    yield from texts(keyword.value)
        elif isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id.lower().endswith("hint") for t in node.targets
        ):
            yield from texts(node.value)


def modules() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def find(node: CommandNode, word: str) -> CommandNode | None:
    word = word if node.path == () else VERB_ALIASES.get(word, word)
    return next((child for child in node.children if word == child.path[-1] or word in child.aliases), None)


NO_COMMANDS = ("cli/docs/shells.py", "cli/docs/fish.py", "agents/main.py", "ingress/haproxy/install.py")
"""Modules whose texts contain the program's name for other purposes: completion functions, descriptions of units."""
MENTION = re.compile(r"(?<![\w/.-])(?<!of )(?<!no )rancherctl ((?:-|[a-z]).*)")
NOUNS = {word for child in TREE.children for word in (*child.path, *child.aliases)}


def wrong(line: str) -> str:
    """Why ``rancherctl LINE`` would not be understood, "" if it would. LINE may go on as a sentence."""
    words = re.split(r"[`();,|#\n]|\s{2}| and | or | with | to ", line, maxsplit=1)[0].split()
    node = TREE
    for word in words:
        if node.path in PASS_THROUGH:
            return ""
        if word.startswith("-"):
            name = word.split("=")[0].rstrip(".")
            if name not in GLOBAL | {known for option in node.options for known in option.names}:
                return f"{' '.join(node.path) or 'rancherctl'} has no option {name}"
        elif node.children and word.strip("X"):
            below = find(node, word)
            if below is None:
                return f"{' '.join(node.path) or 'rancherctl'} has no command {word}"
            node = below
        elif node.path == ("help",):
            return "" if word in {*TOPICS, "X"} else f"topic {word} does not exist"
    return ""


def test_the_checker_finds_hints_and_rejects_wrong_commands() -> None:
    module = ast.parse("""raise Error("x", hint=f"rancherctl env apply {name} --nope") from e""")
    assert list(hints(module)) == [(1, "rancherctl env apply X --nope")]
    assert wrong("env apply X --nope") == "env apply has no option --nope"
    assert wrong("env nope X") == "env has no command nope"
    assert wrong("nope") == "rancherctl has no command nope"
    assert wrong("lab host start X --nope") == "lab host start has no option --nope"
    assert wrong("help nope") == "topic nope does not exist"
    assert [
        wrong(line)
        for line in (
            "env rm -f X, then try again",
            "kubectl --env X get --nope",
            "environment list -o json",
            "lab host start X --name X",
        )
    ] == [""] * 4


def test_commands_in_texts_exist() -> None:
    """In any text: if a noun follows the program's name, it is a command."""
    found = [
        f"{name}:{line}: {problem}"
        for name, module in modules()
        if name not in NO_COMMANDS
        for line, text in texts(module)
        for mention in MENTION.findall(text)
        if mention.split()[0] in NOUNS and (problem := wrong(mention))
    ]
    assert found == []


def test_commands_in_hints_exist() -> None:
    """In hints, everything after the program's name is typed by people."""
    found = [
        f"{name}:{line}: {problem}"
        for name, module in modules()
        for line, text in hints(module)
        for mention in MENTION.findall(text)
        if not mention.startswith("again") and (problem := wrong(mention))  # "install rancherctl again"
    ]
    assert found == []


def test_options_in_hints_exist() -> None:
    found = [
        f"{name}:{line}: no command has an option {word}"
        for name, module in modules()
        for line, text in hints(module)
        for word in OPTION.findall(FOREIGN.sub("", text))
        if word not in ANY
    ]
    assert found == []
