"""Hostile texts in every annotation: refused, or one literal word; HAProxy loads the rest, and others are served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rancherctl.ingress.annotations.row import Annotation
from rancherctl.ingress.annotations.table import KNOWN
from rancherctl.ingress.annotations.tls import TLS
from rancherctl.ingress.haproxy import render
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

TEXTS = yaml.safe_load((Path(__file__).parents[1] / "data" / "ingress" / "injections.yaml").read_text("utf-8"))
NEEDED = {
    "redirect": "https://a.com/",
    "sticky": "cookie",
    "check_path": "/healthz",
    "cors_origins": "https://a.com",
}
"""Values of options without which others have no effect."""
LITERAL = re.compile(r"[A-Za-z0-9._~!$&()*+,=:@/?#%|\[\]^-]+")


def _hostile() -> list[tuple[Annotation, Any]]:
    """An Ingress for each annotation and text."""
    out = []
    for row in KNOWN:
        needed = {r.name: NEEDED[r.field] for r in KNOWN if r.field == row.needs}
        for number, text in enumerate(TEXTS):
            name = f"{row.title.lower()}-{number}"
            rules = [(f"{name}.org", "Prefix", "/", "web:80")]
            entries = [("s", [f"{name}.org"])] if row in TLS else []
            out.append((row, fake.ingress(name, rules, annotations={**needed, row.name: text}, tls=entries)))
    return out


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_what_a_parser_takes_has_no_character_with_a_meaning_for_haproxy(text: str) -> None:
    refused: list[str] = []
    for row in KNOWN:
        try:
            value = row.parse(text.strip())
        except ValueError as error:
            refused.append(str(error))
            continue
        words = value if isinstance(value, tuple) else (value,)
        texts = [word for word in words if isinstance(word, str) and word]
        assert all(LITERAL.fullmatch(word) and "%[" not in word for word in texts), row
    assert all(message.isascii() and message.isprintable() for message in refused)
    assert refused


def test_hostile_annotations_never_stop_haproxy_nor_reach_its_files_as_more_than_a_word(
    lb_host: LoadBalancerHost,
) -> None:
    hostile = [ingress for _, ingress in _hostile()]
    neighbour = fake.ingress("neighbour", [("neighbour.org", "Prefix", "/", "web:80")])
    assert lb_host.reconcile([neighbour, *hostile], {"web": ["w1"]})["alarm"] == ""
    assert lb_host.haproxy.answer("neighbour.org", "/") == "w1"
    assert lb_host.role.store.current is not None
    layout = lb_host.role.store.current.layout
    for path, text in render.files(layout, lb_host.driver.paths).items():
        assert text.isascii(), path
        for line in text.splitlines():
            assert not re.search(r"MARK\S*[;'`\\<]", line, re.IGNORECASE), line
            assert not re.match(r"\s*(bind :666|X-Evil|show |Set-Cookie)", line), line
    later = fake.ingress("later", [("later.org", "Prefix", "/", "web:80")])
    assert lb_host.reconcile([neighbour, *hostile, later], {"web": ["w1"]})["alarm"] == ""
    assert lb_host.haproxy.answer("later.org", "/") == "w1"


def test_only_invalid_annotations_that_restrict_access_close_their_routes() -> None:
    for row, ingress in _hostile():
        t = translate(ingress)
        refused = any(p.reason == f"Invalid{row.title}" for p in t.problems)
        assert {route.options.closed for route in t.routes} == {row.restricts and refused}, ingress.meta.name
