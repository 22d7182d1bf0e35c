"""Reads Kubernetes manifests from files, folders and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rancherctl.credentials import documents
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError

SUFFIXES: Final = (".yaml", ".yml", ".json")


def read_manifests(places: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of all files, in order; a folder means its files with ``SUFFIXES``, ``-`` standard input.

    ``kind: List`` is replaced by its items. InvalidInputError names every document that is not an object.
    """
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for where, data in _contents(places):
        for number, value in enumerate(documents.load_all(data, where), 1):
            for item in _items(value):
                if isinstance(item, dict) and item.get("apiVersion") and item.get("kind"):
                    found.append(item)
                else:
                    problems.append(f"{where}: document {number}: apiVersion or kind is missing")
    if problems:
        raise InvalidInputError("invalid manifests", problems, hint="each document must be a Kubernetes object")
    return found


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        return list(value["items"])
    return [value]


def _contents(places: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for place in places:
        if place == "-":
            yield "standard input", sys.stdin.buffer.read(documents.LARGEST + 1)
            continue
        path = Path(place).expanduser()
        files = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES) if path.is_dir() else [path]
        if not files:
            raise NotFoundError(f"{place}: no manifests found", hint=f"a folder needs files with {', '.join(SUFFIXES)}")
        for file in files:
            try:
                with file.open("rb") as opened:
                    yield str(file), opened.read(documents.LARGEST + 1)
            except FileNotFoundError as error:
                raise NotFoundError(f"{place}: no such file", hint="-f takes a file, a folder or -") from error
            except OSError as error:
                raise UsageError(f"cannot read {file}", why=error.strerror or str(error)) from error
