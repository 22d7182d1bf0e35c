"""Texts and names use the words of the field: a ban list for strings, docstrings, comments and documents."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BANNED = re.compile(
    r"\btold\b|\banew\b|\bis no (?!longer\b|more\b)[a-z]|\bnobody\b|\bbrought\b|\bmend|\bof ours\b|\bwhoever\b",
    re.IGNORECASE,
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "changelog.d", "docs", "man", "completions", "examples")


def _packages() -> list[str]:
    found = [
        p for top in ("rancherctl", "tests/unit") for p in (ROOT / top).iterdir() if not p.name.startswith(("_", "."))
    ]
    others = [
        ROOT / "scripts",
        *(p for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name not in ("unit", "data")),
    ]
    return sorted(str(p.relative_to(ROOT)) for p in (*found, *others) if p.is_dir() or p.suffix == ".py")


def _files(place: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    paths = sorted(place.rglob("*")) if place.is_dir() else [place]
    yield from (
        p
        for p in paths
        if p.is_file() and p.suffix in suffixes and "__pycache__" not in p.parts and p != Path(__file__)
    )


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every string, comment and function or class name in a module."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name.replace("_", " ")


@pytest.mark.parametrize("package", _packages())
def test_code_uses_the_words_of_the_field(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match.group()!r}"
        for path in _files(ROOT / package, (".py",))
        for line, text in _texts(path)
        for match in BANNED.finditer(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_use_the_words_of_the_field(document: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()!r}"
        for path in _files(ROOT / document, (".md", ".1", ".yaml", ".bash", ".fish", ""))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in BANNED.finditer(line)
    ]
    assert not found, "\n".join(found)
