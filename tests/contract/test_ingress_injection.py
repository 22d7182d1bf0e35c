"""Hostile texts in every annotation: refused, or one literal word; HAProxy loads the rest, and others are served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rancherctl.ingress.annotations.row import Annotation
from rancherctl.ingress.annotations.table import KNOWN
from rancherctl.ingress.annotations.tls import TLS
from rancherctl.ingress.haproxy import render
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube import objects
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.tls_host import TlsHost, site

TEXTS = yaml.safe_load((Path(__file__).parents[1] / "data" / "ingress" / "injections.yaml").read_text("utf-8"))
NEEDED = {
    "client_ca": "clients",
    "redirect": "https://a.com/",
    "sticky": "cookie",
    "check_path": "/healthz",
    "cors_origins": "https://a.com",
}
"""Values of options without which others have no effect."""
PEM_LINE = re.compile(r"-----(BEGIN|END) [A-Z ]+-----|[A-Za-z0-9+/=]{1,64}")
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


def assert_only_words(host: LoadBalancerHost) -> None:
    """HAProxy's files have hostile texts at most as a part of one word."""
    assert host.role.store.current is not None
    for path, text in render.files(host.role.store.current.layout, host.driver.paths).items():
        assert text.isascii(), path
        for line in text.splitlines():
            assert not re.search(r"MARK\S*[;'`\\<]", line, re.IGNORECASE), line
            assert not re.match(r"\s*(bind :666|X-Evil|show |Set-Cookie)", line), line


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
    assert_only_words(lb_host)
    later = fake.ingress("later", [("later.org", "Prefix", "/", "web:80")])
    assert lb_host.reconcile([neighbour, *hostile, later], {"web": ["w1"]})["alarm"] == ""
    assert lb_host.haproxy.answer("later.org", "/") == "w1"


def test_only_invalid_annotations_that_restrict_access_close_their_routes() -> None:
    for row, ingress in _hostile():
        t = translate(ingress)
        refused = any(p.reason == f"Invalid{row.title}" for p in t.problems)
        assert {route.options.closed for route in t.routes} == {row.restricts and refused}, ingress.meta.name


AUTHORITY = tls.Authority()


def _elsewhere(number: int, text: str) -> Iterator[tuple[objects.Ingress, objects.Service, objects.TlsSecret]]:
    """One hostile object for each other text of a tenant that HAProxy's files depend on, with its neighbours."""
    pair = AUTHORITY.issue("a.org")

    def made(
        place: str,
        *,
        host: str = "",
        port: str = "80",
        secret: str = "",
        names: Sequence[str] = (),
        spec: dict[str, Any] | None = None,
        pem: tuple[bytes, bytes] = (pair.certificate, pair.key),
    ) -> tuple[objects.Ingress, objects.Service, objects.TlsSecret]:
        name = f"{place}-{number}"
        rules = [(host or f"{name}.org", "Prefix", "/", f"{name}:{port}")]
        tls_entry = [(secret or name, [*(names or [f"{name}.org"])])]
        return (
            fake.ingress(name, rules, tls=tls_entry),
            fake.service(name, **(spec or {})),
            tls.copy_of(tls.secret(secret or name, *pem)),
        )

    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    evil = text.encode("utf-8")
    yield made("secret-name", secret=text)
    yield made("tls-host", names=[text])
    yield made("rule-host", host=text)
    yield made("port-name", port=text, spec={"ports": [{**ports[0], "name": text}]})
    yield made("external-name", spec={"type": "ExternalName", "externalName": text})
    yield made("app-protocol", spec={"ports": [{**ports[0], "appProtocol": text}]})
    yield made("certificate", pem=(evil + b"\n" + pair.certificate + evil, pair.key))
    yield made("key", pem=(pair.certificate, pair.key + evil))
    yield made("inside-key", pem=(pair.certificate, pair.key.replace(b"\n-----END", evil + b"\n-----END")))


def test_hostile_texts_elsewhere_in_objects_never_stop_haproxy_nor_reach_its_files_as_more_than_a_word(
    tls_host: TlsHost,
) -> None:
    """Names of secrets, hosts and ports, external names, protocols, and what is around and in certificate and key."""
    hostile = [found for number, text in enumerate(TEXTS) for found in _elsewhere(number, text)]
    good, later = AUTHORITY.issue("neighbour.org"), AUTHORITY.issue("later.org")
    sites = [site("neighbour.org", "good")]
    copies = [good.copy("good"), *(copy for _, _, copy in hostile)]
    slices = tls_host.slices({"web": ["w1"], **{service.meta.name: ["w1"] for _, service, _ in hostile}})

    def follow(ingresses: Iterable[objects.Ingress], listed: Iterable[objects.TlsSecret]) -> Any:
        tls_host.now += 1
        services = [fake.service("web"), *(service for _, service, _ in hostile)]
        return tls_host.role.reconcile(fake.snapshot(ingresses, services, slices, copies=listed))

    every = [*sites, *(ingress for ingress, _, _ in hostile)]
    assert follow(every, copies)["alarm"] == ""
    assert (tls_host.serial("neighbour.org"), tls_host.answer("neighbour.org")) == (good.serial, "w1")
    assert_only_words(tls_host)
    written = [path.read_text("utf-8") for path in Path(tls_host.haproxy.paths.certificates).glob("*.pem")]
    assert {line for text in written for line in text.splitlines() if not PEM_LINE.fullmatch(line)} == set()
    assert written
    assert follow([*every, site("later.org", "later")], [*copies, later.copy("later")])["alarm"] == ""
    assert (tls_host.serial("later.org"), tls_host.answer("later.org")) == (later.serial, "w1")
