"""The manifest: text in and out, and what it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.bundle.model import BundleFile, manifest, parse_manifest
from rancherctl.errors import InvalidInputError

TOKEN = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
BINARY = st.builds(
    BundleFile,
    component=TOKEN,
    version=TOKEN,
    name=TOKEN,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    size=st.integers(0, 2**40),
    mode=st.sampled_from([0o755, 0o644, 0o600]),
    kind=st.just("binary"),
    arch=st.sampled_from(["amd64", "arm64"]),
)
PAUSE = BundleFile("images", "1.0", "pause", "0" * 64, 10240, 0o644, "image", "amd64", "rancherctl.io/pause:1.0")


@given(st.lists(BINARY, min_size=1, max_size=6, unique_by=lambda a: a.path))
def test_a_manifest_survives_its_text(artefacts: list[BundleFile]) -> None:
    made = manifest("1.36.3", "amd64", "official", artefacts)
    assert parse_manifest(made.to_json(), where="m") == made


@given(st.lists(BINARY, min_size=1, max_size=6, unique_by=lambda a: a.path), st.randoms())
def test_the_digest_is_of_the_files_not_of_their_order_or_source(artefacts: list[BundleFile], random: Any) -> None:
    shuffled = list(artefacts)
    random.shuffle(shuffled)
    assert (
        manifest("1.36.3", "amd64", "official", artefacts).digest()
        == manifest("1.36.3", "amd64", "directory", shuffled).digest()
    )


def entry(**changes: Any) -> str:
    body = json.loads(manifest("1.36.3", "amd64", "official", [PAUSE]).to_json())
    body["artefacts"][0] |= changes
    return json.dumps(body)


def problems(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse_manifest(text, where="DIR/manifest.json")
    assert "DIR/manifest.json" in caught.value.what
    return "; ".join(caught.value.problems)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "../../etc/passwd"}, "not a plain name"),
        ({"component": ".."}, "not a plain name"),
        ({"version": "a/b"}, "not a plain name"),
        ({"name": "a\n"}, "not a plain name"),
        ({"sha256": "A" * 64}, "64 hex digits"),
        ({"kind": "script"}, "none of binary"),
        ({"reference": ""}, "an image has one"),
        ({"kind": "binary"}, "nothing else has"),
        ({"mode": 0o4755}, "out of range"),
        ({"size": -1}, "out of range"),
        ({"size": True}, "out of range"),
        ({"owner": "root"}, "exactly the keys"),
    ],
)
def test_a_dangerous_entry_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert expected in problems(entry(**changes))


def test_a_changed_manifest_is_noticed() -> None:
    assert "its digest is" in problems(entry(size=1))


def test_all_problems_are_reported_at_once() -> None:
    body = json.loads(manifest("1.36.3", "amd64", "official", [PAUSE]).to_json())
    del body["source"]
    body["artefacts"] = [{**body["artefacts"][0], "mode": -1}, {**body["artefacts"][0], "sha256": "x"}]
    expected = problems(json.dumps(body))
    assert "source is missing" in expected
    assert "artefacts[0]" in expected
    assert "artefacts[1]" in expected


def test_a_path_that_is_listed_twice_is_refused() -> None:
    body = json.loads(manifest("1.36.3", "amd64", "official", [PAUSE]).to_json())
    body["artefacts"] *= 2
    assert "listed twice" in problems(json.dumps(body))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "Bundle"}', '{"kind": "Bundle", "apiVersion": "rancherctl.io/v9"}', "\x00"]
)
def test_text_that_is_not_a_manifest_is_refused(text: str) -> None:
    assert problems(text)
