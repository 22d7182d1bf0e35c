"""`ingress.tls.keysOnDisk: false`: keys are in a folder that a reboot empties; plain HTTP does not wait for them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.ingress.haproxy.runtime import HaproxyError
from rancherctl.ingress.translate.certificates import TlsPolicy
from rancherctl.polling import poll_until
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.tls_host import REFUSED, TlsHost, site

SITES = [site("a.example", "sa"), site("b.example", "sb")]


@pytest.fixture
def pairs(tls_host: TlsHost) -> list[tls.Pair]:
    """Certificates of the two sites; the keys are in memory only from the start."""
    tls_host.haproxy.paths = replace(
        tls_host.haproxy.paths, memory=f"{tls_host.haproxy.paths.run}/keys", keys_on_disk=False
    )
    tls_host.start()
    return [tls_host.authority.issue(name) for name in ("a.example", "b.example")]


def copies(pairs: list[tls.Pair]) -> list[object]:
    return [pair.copy(name) for pair, name in zip(pairs, ("sa", "sb"), strict=True)]


def served(host: TlsHost) -> list[int | str]:
    return [host.serial(name) for name in ("a.example", "b.example")]


def with_keys(folder: str | Path) -> list[str]:
    """Names of files below a folder that contain a private key."""
    return sorted(p.name for p in Path(folder).rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes())


def reboot(host: TlsHost) -> None:
    """What a reboot leaves: HAProxy starts with its files on disk, and what systemd-tmpfiles creates."""
    host.haproxy.stop()
    shutil.rmtree(host.haproxy.paths.memory)
    shutil.copytree(host.haproxy.paths.boot, host.haproxy.paths.memory)
    host.haproxy.restart()


def first_answer(host: TlsHost, name: str) -> str:
    """The first answer over HTTP of a HAProxy that starts."""
    found = ""

    def answers() -> bool:
        nonlocal found
        try:
            found = host.haproxy.answer(name)
        except OSError:
            return False
        return True

    assert poll_until(answers, 30, first=0.01)
    return found


def test_a_host_without_certificates_needs_no_folder(tls_host: TlsHost, pairs: list[tls.Pair]) -> None:
    section = tls_host.follow(SITES, [])
    assert not section.get("error")
    assert tls_host.haproxy.answer("a.example") == "w1"
    assert Path(tls_host.haproxy.paths.memory).stat().st_mode & 0o777 == 0o750


def test_no_key_is_on_disk_and_certificates_change_without_a_reload(tls_host: TlsHost, pairs: list[tls.Pair]) -> None:
    tls_host.follow(SITES, copies(pairs))
    assert served(tls_host) == [pair.serial for pair in pairs]
    before, pairs[0] = tls_host.reloads, tls_host.authority.issue("a.example")
    tls_host.follow(SITES, copies(pairs))
    assert served(tls_host) == [pair.serial for pair in pairs]
    assert tls_host.reloads == before
    assert with_keys(tls_host.haproxy.paths.data) == []
    assert len(with_keys(tls_host.haproxy.paths.memory)) == 2


def test_after_a_reboot_http_answers_at_once_and_https_as_soon_as_the_api_does(
    tls_host: TlsHost, pairs: list[tls.Pair]
) -> None:
    tls_host.follow(SITES, copies(pairs))
    assert tls_host.haproxy.answer("a.example") == "308"
    reboot(tls_host)
    assert first_answer(tls_host, "a.example") == "w1"
    assert served(tls_host) == [REFUSED, REFUSED], "HAProxy runs; the agent has not started yet"
    tls_host.start()
    tls_host.role.reconcile(fake.Snapshot())
    assert tls_host.haproxy.answer("a.example") == "w1"
    assert served(tls_host) == [REFUSED, REFUSED]
    tls_host.follow(SITES, copies(pairs))
    assert served(tls_host) == [pair.serial for pair in pairs]
    assert tls_host.haproxy.answer("a.example") == "308"


def test_a_crash_of_haproxy_loses_no_certificate(tls_host: TlsHost, pairs: list[tls.Pair]) -> None:
    tls_host.follow(SITES, copies(pairs))
    tls_host.haproxy.restart()
    assert first_answer(tls_host, "a.example") == "308"
    assert served(tls_host) == [pair.serial for pair in pairs]


def test_with_a_default_certificate_the_agent_starts_haproxy_after_a_reboot(
    tls_host: TlsHost, pairs: list[tls.Pair]
) -> None:
    """HAProxy does not start without the certificate for clients that ask for an unknown name."""
    tls_host.start(TlsPolicy(default="default/sb"))
    tls_host.follow(SITES, copies(pairs))
    assert tls_host.serial("unknown.example") == pairs[1].serial
    with pytest.raises(HaproxyError):
        reboot(tls_host)
    tls_host.start(TlsPolicy(default="default/sb"))
    tls_host.role.reconcile(fake.Snapshot())
    assert tls_host.haproxy.answer("a.example") == "w1"
    tls_host.follow(SITES, copies(pairs))
    assert [tls_host.serial(n) for n in ("a.example", "unknown.example")] == [pair.serial for pair in pairs]


@pytest.mark.parametrize("api", [True, False], ids=["api", "no-api"])
def test_the_switch_moves_keys_and_interrupts_nothing(tls_host: TlsHost, pairs: list[tls.Pair], api: bool) -> None:
    """In both directions; a host whose API does not answer has the keys in its files."""
    paths = tls_host.haproxy.paths
    tls_host.follow(SITES, copies(pairs))
    for on_disk in (True, False):
        tls_host.haproxy.paths = replace(paths, keys_on_disk=on_disk)
        tls_host.start()
        if api:
            tls_host.follow(SITES, copies(pairs))
        else:
            tls_host.role.reconcile(fake.Snapshot())
        assert served(tls_host) == [pair.serial for pair in pairs]
        assert len(with_keys(paths.data)) == (2 if on_disk else 0)
        assert len(with_keys(paths.memory)) == (0 if on_disk else 2)


def test_a_temporary_file_of_an_interrupted_write_does_not_stay(tls_host: TlsHost, pairs: list[tls.Pair]) -> None:
    tls_host.follow(SITES, copies(pairs))
    left = Path(tls_host.haproxy.paths.certificates, ".abc.pem.rancherctl-new")
    left.write_bytes(pairs[0].key)
    tls_host.start()
    tls_host.follow(SITES, copies(pairs))
    assert not left.exists()
