"""What command line, agents and controller agree on stands once, in ``rancherctl.contract``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from rancherctl import contract

ROOT = Path(__file__).resolve().parents[3] / "rancherctl"
SENT_ALONE = ("hosts/remote/", "/remote.py")
"""Programs that are sent to hosts without the contract module."""
HELP = ("cli/docs/topics.py",)
"""Texts for people."""


def _literals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, value) of every string that is not a docstring or part of an f-string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    texts |= {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.lineno, node.value


def test_each_shared_literal_occurs_once() -> None:
    shared = {value for name, value in vars(contract).items() if name.isupper() and isinstance(value, str)}
    shared = {value for value in shared if not value.isalpha()}  # single words have other meanings, too
    found = [
        f"{path.relative_to(ROOT)}:{line}: {value}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "contract.py" and not any(part in path.as_posix() for part in (*SENT_ALONE, *HELP))
        for line, value in _literals(path)
        if value in shared
    ]
    assert found == []
