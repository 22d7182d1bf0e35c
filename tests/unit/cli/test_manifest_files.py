"""Manifests from files, folders and lists; what is not an object is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.cli.manifest_files import read_manifests
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError


def test_a_folder_gives_its_manifests_in_order_and_ignores_other_files(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("apiVersion: v1\nkind: B\n---\n---\napiVersion: v1\nkind: C\n")
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "A"}')
    (tmp_path / "README.md").write_text("kind: Nope")
    assert [o["kind"] for o in read_manifests([str(tmp_path)])] == ["A", "B", "C"]


def test_a_list_is_replaced_by_its_items(tmp_path: Path) -> None:
    file = tmp_path / "l.yaml"
    file.write_text("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A}, {apiVersion: v1, kind: B}]\n")
    assert [o["kind"] for o in read_manifests([str(file)])] == ["A", "B"]


def test_documents_that_are_not_objects_are_all_named(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("apiVersion: v1\n---\n[1]\n---\napiVersion: v1\nkind: A\n")
    with pytest.raises(InvalidInputError) as caught:
        read_manifests([str(file)])
    assert caught.value.problems == tuple(f"{file}: document {n}: apiVersion or kind is missing" for n in (1, 2))


@pytest.mark.parametrize("text", ["a: [", "a: *b", "a: 1\n--- b: ["])
def test_a_syntax_error_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"x\.yaml:\d+:\d+ is not valid YAML"):
        read_manifests([str(tmp_path / "x.yaml")])


def test_missing_files_and_empty_folders_are_not_found(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(NotFoundError):
            read_manifests([str(place)])
