"""HTTPS through a real HAProxy: certificates by name, added, replaced and removed while it runs."""

from __future__ import annotations

import contextlib
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.h2 import H2Connection
from tests.fakes.ingress_host import LoadBalancerHost

REFUSED = "TLSV1_UNRECOGNIZED_NAME"


def site(name: str, secret: str, *, service: str = "web", created: str = "2026-01-01T00:00:00Z", **more: Any) -> Any:
    """An Ingress for one host name with a TLS secret."""
    rules = [(name, "Prefix", "/", f"{service}:80")]
    return fake.ingress(f"i-{name.replace('*', 'any')}", rules, tls=[(secret, [name])], created=created, **more)


class TlsHost(LoadBalancerHost):
    """A load balancer with HTTPS. ``follow`` reconciles with these Ingresses and copies of secrets."""

    authority = tls.Authority()

    def start(self, policy: TlsPolicy | None = None) -> None:
        self.new_role(self.haproxy.all_listeners, tls=policy or TlsPolicy())

    def follow(self, ingresses: Iterable[Any], copies: Iterable[Any] | None, seconds: float = 1.0) -> Any:
        self.now += seconds - 1
        listed = None if copies is None else list(copies)
        return self.reconcile(ingresses, {"web": ["w1"], "other": ["o1"]}, copies=listed)

    @property
    def port(self) -> int:
        return self.haproxy.https_port

    def serial(self, name: str | None) -> int | str:
        return tls.serial(self.port, name)

    def answer(self, name: str | None, host: str | None = None) -> str:
        return tls.answer(self.port, name, host=host)

    def files(self) -> set[str]:
        folder = Path(self.haproxy.paths.certificates)
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    @property
    def reloads(self) -> int:
        return self.driver.counters.reloads


@pytest.fixture
def host(tmp_path: Path, pods_on_loopback: None) -> Iterator[TlsHost]:
    host = TlsHost(fake.Haproxy(tmp_path))
    host.start()
    yield host
    host.close()


def reasons(section: Any, key: str) -> list[str]:
    return [problem[0] for problem in section["problems"].get(key, [])]


def test_each_name_gets_its_certificate_over_http_1_and_2(host: TlsHost) -> None:
    a, b = host.authority.issue("a.example"), host.authority.issue("b.example")
    section = host.follow(
        [site("a.example", "sa"), site("b.example", "sb", service="other")], [a.copy("sa"), b.copy("sb")]
    )
    assert section["served"].keys() == {"default/i-a.example", "default/i-b.example"}
    assert (host.serial("a.example"), host.serial("b.example")) == (a.serial, b.serial)
    assert (host.answer("a.example"), host.answer("b.example")) == ("w1", "o1")
    with contextlib.closing(tls.Connection(host.port, "a.example")) as connection:
        _, body, _ = connection.request("a.example")
    assert body["headers"]["x-forwarded-proto"] == "https"
    with tls.connect(host.port, "a.example", alpn=("h2", "http/1.1")) as stream:
        assert stream.selected_alpn_protocol() == "h2"
        connection = H2Connection(stream)
        assert connection.get("a.example", "/").answer == "w1"
        assert connection.get("b.example", "/").answer == "o1", "a connection serves every name that is here"
        connection.close()


def test_a_name_without_certificate_is_refused_and_shows_none(host: TlsHost) -> None:
    host.follow([site("a.example", "sa")], [host.authority.issue("a.example").copy("sa")])
    assert host.serial("unknown.example") == REFUSED
    assert host.serial(None) == REFUSED


def test_certificates_come_change_and_go_without_a_reload(host: TlsHost) -> None:
    host.follow([site("plain.example", "none")], [])
    before = host.reloads
    old, new = host.authority.issue("a.example"), host.authority.issue("a.example")
    ingresses = [site("plain.example", "none"), site("a.example", "sa")]
    host.follow(ingresses, [old.copy("sa")])
    assert host.serial("a.example") == old.serial
    with contextlib.closing(tls.Connection(host.port, "a.example")) as kept:
        assert kept.answer("a.example") == "w1"
        host.follow(ingresses, [new.copy("sa", version="2")])
        assert host.serial("a.example") == new.serial
        assert kept.answer("a.example") == "w1", "a connection with the old certificate lives on"
    assert len(host.files()) == 1
    host.follow([site("plain.example", "none")], [])
    assert host.serial("a.example") == REFUSED
    assert host.files() == set()
    assert host.reloads == before


def test_a_restarted_haproxy_has_the_same_certificates(host: TlsHost) -> None:
    a = host.authority.issue("a.example")
    host.follow([site("plain.example", "none")], [])
    host.follow([site("plain.example", "none"), site("a.example", "sa")], [a.copy("sa")])
    host.haproxy.restart()
    host.follow([site("plain.example", "none"), site("a.example", "sa")], [a.copy("sa")], seconds=10)
    assert host.serial("a.example") == a.serial
    host.start()  # the agent, with an API that does not answer
    host.role.reconcile(fake.Snapshot())
    assert host.answer("a.example") == "w1"


def test_plain_requests_are_redirected_once_there_is_a_certificate(host: TlsHost) -> None:
    host.follow([site("a.example", "sa")], [])
    assert host.haproxy.answer("a.example") == "w1", "no redirect while the certificate is missing"
    assert host.serial("a.example") == REFUSED
    section = host.follow([site("a.example", "sa")], [host.authority.issue("a.example").copy("sa")])
    assert section["problems"] == {}
    status, _, location = host.haproxy.redirect("a.example", "/x/y?q=1")
    assert (status, location) == (308, f"https://a.example:{host.port}/x/y?q=1")
    assert host.haproxy.answer("a.example", "/.well-known/acme-challenge/token") == "w1"
    host.start(TlsPolicy(redirect=False))
    host.follow([site("a.example", "sa")], [host.authority.issue("a.example").copy("sa", version="2")])
    assert host.haproxy.answer("a.example") == "w1"


def test_a_missing_secret_is_a_note_and_an_unusable_one_a_problem(host: TlsHost) -> None:
    key = "default/i-a.example"
    section = host.follow([site("a.example", "sa")], [])
    assert section["problems"][key] == [
        [
            "CertificatePending",
            "waiting for secret default/sa (type kubernetes.io/tls); until then its hosts answer plain HTTP only",
            False,
        ]
    ]
    good, other = host.authority.issue("a.example"), host.authority.issue("a.example")
    mixed = tls.copy_of(tls.secret("sa", good.certificate, other.key, version="2"))
    section = host.follow([site("a.example", "sa")], [mixed])
    assert reasons(section, key) == ["CertificateInvalid"]
    assert "the private key does not belong to the certificate" in section["problems"][key][0][1]
    assert host.haproxy.answer("a.example") == "w1"
    host.follow([site("a.example", "sa")], [good.copy("sa", version="3")])
    section = host.follow([site("a.example", "sa")], [mixed])
    assert host.serial("a.example") == good.serial, "the last good one stays"
    assert "the last good certificate stays in use, it expires in 89 days" in section["problems"][key][0][1]
    host.start()
    host.follow([site("a.example", "sa")], [mixed])
    assert host.serial("a.example") == good.serial, "also after a restart of the agent"


def test_the_certificate_of_a_deleted_secret_goes_after_a_minute(host: TlsHost) -> None:
    a = host.authority.issue("a.example")
    host.follow([site("a.example", "sa")], [a.copy("sa")])
    section = host.follow([site("a.example", "sa")], [])
    assert reasons(section, "default/i-a.example") == ["CertificateDeleted"]
    assert host.serial("a.example") == a.serial
    host.follow([site("a.example", "sa")], [a.copy("sa", version="2")], seconds=30)
    host.follow([site("a.example", "sa")], [], seconds=50)
    assert host.serial("a.example") == a.serial, "the minute begins again after it was there"
    section = host.follow([site("a.example", "sa")], [], seconds=61)
    assert reasons(section, "default/i-a.example") == ["CertificatePending"]
    assert host.serial("a.example") == REFUSED
    assert host.files() == set()


def test_copies_that_cannot_be_listed_take_nothing_away(host: TlsHost) -> None:
    a = host.authority.issue("a.example")
    host.follow([site("a.example", "sa")], [a.copy("sa")])
    host.start()
    section = host.follow([site("a.example", "sa")], None, seconds=100)
    assert host.answer("a.example") == "w1"
    assert section["problems"] == {}


def test_one_bad_certificate_harms_no_other(host: TlsHost) -> None:
    good = host.authority.issue("a.example")
    bad = tls.copy_of(tls.secret("bad", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", good.key))
    ingresses = [site("a.example", "sa"), site("bad.example", "bad"), site("c.example", "sc")]
    later = host.authority.issue("c.example")
    host.follow(ingresses, [good.copy("sa"), bad])
    section = host.follow(ingresses, [good.copy("sa"), bad, later.copy("sc")])
    assert reasons(section, "default/i-bad.example") == ["CertificateInvalid"]
    assert (host.serial("a.example"), host.serial("c.example")) == (good.serial, later.serial)
    assert host.serial("bad.example") == REFUSED


def test_a_chain_of_25_kb_is_served_and_replaced(host: TlsHost) -> None:
    first, second = (host.authority.issue("a.example", chain=50) for _ in range(2))
    assert len(first.certificate) > 25_000
    for version, pair in enumerate((first, second), 1):
        host.follow([site("a.example", "sa")], [pair.copy("sa", version=str(version))])
        assert host.serial("a.example") == pair.serial
    huge = host.authority.issue("a.example", chain=80)
    section = host.follow([site("a.example", "sa")], [huge.copy("sa", version="3")])
    assert "at most 30000 are supported" in section["problems"]["default/i-a.example"][0][1]
    assert host.serial("a.example") == second.serial


def test_a_connection_serves_all_names_that_are_here_and_refuses_the_others(host: TlsHost) -> None:
    pair = host.authority.issue("a.example", "b.example", "c.example")
    ingresses = [site("a.example", "sa"), site("b.example", "sa", service="other")]
    plain = fake.ingress("plain", [("c.example", "Prefix", "/", "web:80")])
    host.follow([*ingresses, plain], [pair.copy("sa")])
    assert host.answer("a.example", host="b.example") == "o1"
    assert host.answer("a.example", host="c.example") == "421", "a site without certificate is never answered over TLS"
    assert host.answer("a.example", host="elsewhere.example") == "421"
    assert host.haproxy.answer("c.example") == "w1"


def test_the_default_certificate_is_for_names_without_one(host: TlsHost) -> None:
    policy = TlsPolicy(default="infra/fallback")
    default, own, newer = (host.authority.issue("default.example") for _ in range(3))
    anywhere = fake.ingress("anywhere", [("", "Prefix", "/", "other:80")])
    host.start(policy)
    copies = [default.copy("fallback", "infra"), own.copy("sa")]
    host.follow([site("a.example", "sa"), anywhere], copies)
    assert [host.serial(name) for name in ("a.example", "x.example", None)] == [
        own.serial,
        default.serial,
        default.serial,
    ]
    assert host.answer("x.example") == "o1"
    before = host.reloads
    host.follow([site("a.example", "sa"), anywhere], [newer.copy("fallback", "infra", "2"), own.copy("sa")])
    assert host.serial("x.example") == newer.serial
    assert host.reloads == before
    host.start()
    host.follow([site("a.example", "sa"), anywhere], [own.copy("sa")])
    assert host.serial("x.example") == REFUSED


def test_files_of_keys_are_for_their_group_only(host: TlsHost) -> None:
    host.follow([site("a.example", "sa")], [host.authority.issue("a.example").copy("sa")])
    folder = Path(host.haproxy.paths.certificates)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    for path in Path(host.haproxy.paths.data).rglob("*"):
        if path.is_file() and path.parent != folder:
            assert "PRIVATE KEY" not in path.read_text("ascii", "replace"), path


def test_tls_1_1_is_refused(host: TlsHost) -> None:
    host.follow([site("a.example", "sa")], [host.authority.issue("a.example").copy("sa")])
    words = ["openssl", "s_client", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-servername", "a.example"]
    command = [*words, "-connect", f"127.0.0.1:{host.port}"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert "alert protocol version" in done.stderr
