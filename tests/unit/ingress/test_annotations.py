"""Annotations by golden cases (tests/data/ingress/annotations): values, and problems of invalid and unknown ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.ingress.annotations.parse import parse_annotations
from rancherctl.ingress.annotations.status_annotation import decode_status, encode_status
from rancherctl.ingress.annotations.table import AFFINITY, GLOBAL, KNOWN, SCALE
from rancherctl.ingress.options import SiteOptions

DATA = Path(__file__).parents[2] / "data" / "ingress" / "annotations"
CASES = [
    (file.stem, number, case)
    for file in sorted(DATA.iterdir())
    for number, case in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")))
]
NESTED = ("[" * 100_000, '{"a":' * 50_000)
"""JSON that the parser cannot finish; an annotation may have 256 KB."""


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as YAML reads them: lists, not tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@pytest.mark.parametrize("case", [c for _, _, c in CASES], ids=[f"{name}-{number}" for name, number, _ in CASES])
def test_annotations_as_in_the_golden_case(case: dict[str, Any]) -> None:
    found = parse_annotations(case["annotations"], case.get("published", 0))
    assert found.placement.wanted == case["wanted"]
    assert dict(found.placement.affinity) == case.get("affinity", {})
    assert _plain(found.route.changed) == case.get("route", {})
    sites = {f.name: getattr(found.sites, f.name) for f in fields(SiteOptions)}
    assert _plain({name: value for name, value in sites.items() if value}) == case.get("sites", {})
    assert _plain(found.tls.changed) == case.get("tls", {})
    assert [found.ports.http, found.ports.https] == case.get("ports", [80, 443])
    assert dict(found.redirect.changed) == case.get("redirect", {})
    assert found.obstacle == case.get("obstacle", "")
    problems = [f"{'' if p.serious else 'note '}{p.reason} {p.message}" for p in found.problems]
    assert problems == case.get("problems", [])


def test_every_known_annotation_has_golden_cases() -> None:
    assert {row.title.lower() for row in KNOWN} <= {name for name, _, _ in CASES}


@pytest.mark.parametrize("text", ["abc", "0", "-1", "1.5", "", " ", "1e3", "٣", "99999999999", "2\n3"])
def test_an_invalid_scale_keeps_the_last_valid_one(text: str) -> None:
    found = parse_annotations({SCALE: text, STATUS_ANNOTATION: json.dumps({"wanted": 3})})
    assert found.placement.wanted == 3
    (problem,) = found.problems
    assert problem.reason == "InvalidScale"
    assert problem.message.endswith("still using 3")
    assert parse_annotations({SCALE: text}).placement.wanted == 1


@pytest.mark.parametrize(
    "forged",
    [
        *NESTED,
        '{"wanted": "9"}',
        '{"wanted": [5], "reason": {}}',
        '{"wanted": -4}',
        '{"wanted": true}',
        "[]",
        "{",
        '{"wanted": 1e9}',
    ],
    ids=lambda text: text[:20],
)
def test_a_forged_status_annotation_sets_no_scale(forged: str) -> None:
    assert parse_annotations({SCALE: "abc", STATUS_ANNOTATION: forged}).placement.wanted == 1


@pytest.mark.parametrize("notes", [{}, {STATUS_ANNOTATION: "damaged"}], ids=["dropped", "damaged"])
def test_an_invalid_scale_without_a_status_annotation_keeps_the_number_of_addresses(notes: dict[str, str]) -> None:
    """`kubectl replace` with an invalid scale drops the status annotation in the same write; the status stays."""
    found = parse_annotations({SCALE: "abc", **notes}, published=3)
    assert found.placement.wanted == 3
    assert found.problems[0].message.endswith("still using 3")


@given(st.dictionaries(st.sampled_from([SCALE, AFFINITY, GLOBAL, STATUS_ANNOTATION, "io.rancher.x"]), st.text()))
def test_any_annotations_give_options_and_one_line_messages(annotations: dict[str, str]) -> None:
    found = parse_annotations(annotations)
    assert 0 <= found.placement.wanted <= 10_000
    assert all("\n" not in p.message for p in found.problems)


def test_the_status_annotation_reads_as_written() -> None:
    text = encode_status("Served", "ein Ü", wanted=2, published=1, content="abc")
    assert text.isascii()
    expected = {"reason": "Served", "message": "ein Ü", "wanted": 2, "published": 1, "hash": "abc"}
    assert decode_status(text) == expected
