"""Which HTTP checks prove that an Ingress is served."""

from __future__ import annotations

from rancherctl.ingress.operator.http_check import MAX_PATHS, checks_for
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake


def test_every_path_is_checked_on_every_address_as_written_in_the_ingress() -> None:
    rules = [
        ("a.com", "Prefix", "/shop/", "web:80"),
        ("a.com", "Exact", "/admin", "web:80"),
        ("b.com", "Prefix", "/", "web:80"),
    ]
    checks = checks_for(translate(fake.ingress("a", rules)), ["192.0.2.1", "192.0.2.2"])
    paths = [("a.com", "/admin"), ("a.com", "/shop"), ("b.com", "/")]
    assert [(c.address, c.host, c.path) for c in checks] == [
        (address, *path) for address in ("192.0.2.1", "192.0.2.2") for path in paths
    ]


def test_a_wildcard_is_checked_with_a_name_that_it_matches() -> None:
    (check,) = checks_for(translate(fake.ingress("a", [("*.a.com", "Prefix", "/", "web:80")])), ["192.0.2.1"])
    assert check.host == "rancherctl-probe.a.com"


def test_a_rule_without_a_host_is_checked_with_the_address_as_host() -> None:
    checks = checks_for(translate(fake.ingress("a", default="web:80")), ["192.0.2.1", "fd00::1"])
    assert [(c.address, c.host) for c in checks] == [("192.0.2.1", "192.0.2.1"), ("fd00::1", "[fd00::1]")]


def test_an_ingress_with_very_many_paths_is_checked_by_some_of_them() -> None:
    rules = [("a.com", "Exact", f"/{n}", "web:80") for n in range(MAX_PATHS + 1)]
    assert len(checks_for(translate(fake.ingress("a", rules)), ["192.0.2.1"])) == MAX_PATHS


def test_an_ingress_with_own_ports_is_checked_there() -> None:
    rules = [("a.com", "Prefix", "/", "web:80")]

    def checks(**annotations: str) -> list[tuple[str, int, bool]]:
        own = translate(
            fake.ingress("a", rules, annotations={f"ingress.rancherctl.io/{k}": v for k, v in annotations.items()})
        )
        return [(c.host, c.port, c.tls) for c in checks_for(own, ["192.0.2.1"])]

    assert checks() == [("a.com", 80, False)]
    assert checks(**{"http.port": "8080"}) == [("a.com:8080", 8080, False)]
    assert checks(**{"allow.http": "false"}) == [("a.com", 443, True)]
    assert checks(**{"allow.http": "false", "https.port": "8443"}) == [("a.com:8443", 8443, True)]
