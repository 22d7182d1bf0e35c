"""The tables of docs/federation-cases.md: the tests exist, and have the numbers of bugs in their docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/federation-cases.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"`(test_\w+)` (\w+)")


def rows(heading: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """First cell and named tests of each row of the table below a heading."""
    part = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in ("case", "number", "fault"):
            yield cells[0], ENTRY.findall(cells[-1])


@cache
def docstrings(module: str) -> dict[str, str]:
    """Name → docstring of the tests of a module; also of classes and names that are set."""
    (path,) = (ROOT / "tests").rglob(f"{module}.py")
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ""
    return found


@pytest.mark.parametrize(
    "heading", ["F: cases with fakes", "Bugs of Federation v1", "Faults made by hand in the publisher"]
)
def test_the_named_tests_exist(heading: str) -> None:
    found = list(rows(heading))
    assert len(found) > 8
    for first, named in found:
        assert named, first
        for module, part in named:
            assert [name for name in docstrings(module) if part in name], f"{first}: {module} {part}"


def test_each_bug_is_in_the_docstring_of_its_test() -> None:
    for first, named in rows("Bugs of Federation v1"):
        for number in first.split(", "):
            project, digits = number.split("#")
            for module, part in named:
                texts = [text for name, text in docstrings(module).items() if part in name]
                assert any(f"#{digits}" in text and project in text for text in texts), f"{number}: {module} {part}"
