"""Renewal through the API: what is requested and written, and what stays after a denial."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rancherctl.agents import renewal
from rancherctl.agents.agent import RENEWAL_SECONDS, Agent
from rancherctl.agents.install import agent_config
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.pki import authority
from rancherctl.environments.pki.leaves import Leaf
from rancherctl.errors import RancherctlError
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.remote import disk

NOW = datetime.now(UTC)
PROXY = Leaf("kube-proxy", "ca", "system:kube-proxy")
CA = authority.new_authority("ca", "demo", NOW)


class SigningApi:
    """Signs the request by the third read, as the real API does a moment after the approval; or denies it."""

    def __init__(self, *, denied: bool = False) -> None:
        self.denied, self.reads, self.asked = denied, 0, ""

    def create(self, _: object, body: dict[str, Any]) -> dict[str, Any]:
        assert body["spec"]["signerName"] == "kubernetes.io/kube-apiserver-client"
        self.asked = base64.b64decode(body["spec"]["request"]).decode()
        return {"metadata": {"name": "csr-1"}}

    def get(self, _: object, name: str) -> dict[str, Any]:
        self.reads += 1
        if self.reads < 3:
            return {"metadata": {"name": name}}
        if self.denied:
            return {"status": {"conditions": [{"type": "Denied", "message": "no"}]}}
        pem = authority.sign(PROXY, self.asked, CA, NOW, valid=timedelta(days=90))
        return {"status": {"certificate": base64.b64encode(pem.encode()).decode()}}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    made = authority.issue(PROXY, CA, NOW - timedelta(days=300), valid=timedelta(days=365))
    crt, key = tmp_path / "kube-proxy.crt", tmp_path / "kube-proxy.key"
    crt.write_text(made.crt)
    key.write_text(str.__str__(made.key))
    crt.chmod(0o640)
    return crt, key


class NoWait(threading.Event):
    """Never set; a wait on it ends at once."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


def ask(api: SigningApi, crt: Path, key: Path) -> None:
    renewal.renew_proxy(api, LocalTransport("h1"), "h1", crt=crt, key=key, stop=NoWait())  # type: ignore[arg-type]


def test_the_kube_proxy_certificate_is_renewed_for_the_same_key(pair: tuple[Path, Path]) -> None:
    crt, key = pair
    api, secret = SigningApi(), key.read_bytes()
    ask(api, crt, key)
    new = x509.load_pem_x509_certificate(crt.read_bytes())
    assert x509.load_pem_x509_csr(api.asked.encode()).subject.rfc4514_string() == "CN=system:kube-proxy"
    private = serialization.load_pem_private_key(secret, None)
    assert new.public_key() == private.public_key()
    assert new.not_valid_after_utc > NOW + timedelta(days=89)
    assert (key.read_bytes(), crt.stat().st_mode & 0o7777) == (secret, 0o640)


def test_a_denied_request_leaves_the_old_certificate(pair: tuple[Path, Path]) -> None:
    crt, key = pair
    before = crt.read_bytes()
    with pytest.raises(RancherctlError, match="was denied: no"):
        ask(SigningApi(denied=True), crt, key)
    assert crt.read_bytes() == before


@pytest.mark.parametrize(
    ("part", "left", "expected"),
    [
        (renewal.PART, 31, False),
        (renewal.PART, 29, True),
        (renewal.PROXY_PART, 37, False),
        (renewal.PROXY_PART, 35, True),
    ],
)
def test_a_certificate_of_90_days_is_due_when_its_part_of_the_life_is_left(
    part: float, left: int, expected: bool
) -> None:
    assert renewal.due(0.0, 90.0, 90.0 - left, part) is expected


@pytest.mark.parametrize("damage", [b"", b"garbage\n"])
def test_a_damaged_renewed_pair_is_ignored(pair: tuple[Path, Path], tmp_path: Path, damage: bytes) -> None:
    renewed = tmp_path / "agent-renewed.pem"
    assert renewal.current(LocalTransport("h1"), *pair, renewed) == pair
    renewed.write_bytes(damage)
    assert renewal.current(LocalTransport("h1"), *pair, renewed) == pair
    longer = authority.issue(PROXY, CA, NOW, valid=timedelta(days=90))
    renewed.write_text(longer.crt)
    assert renewal.current(LocalTransport("h1"), *pair, renewed) == pair, "without its key it cannot be used"
    renewed.write_text(longer.crt + str.__str__(longer.key))
    assert renewal.current(LocalTransport("h1"), *pair, renewed) == (renewed, renewed)


@pytest.mark.parametrize("error", [disk.StepError("No space left on device"), KeyError("notAfter"), ValueError("odd")])
def test_a_failed_renewal_is_retried_and_does_not_prevent_the_other(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The renewing threads must go on: a certificate that expires takes the host out of the environment."""
    tried: list[str] = []

    def full(*_: object, **__: object) -> None:
        tried.append("write")
        raise error

    monkeypatch.setattr(renewal, "renew", full)
    monkeypatch.setattr(renewal, "current", lambda *_: pair)
    monkeypatch.setattr(renewal, "window", lambda *_: (0.0, 1.0))
    monkeypatch.setattr(renewal, "renew_proxy", full)

    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    agent = Agent(agent_config(environment, environment.hosts[0]), lambda _: [], None, lambda _: None)  # type: ignore[arg-type]
    stop = threading.Event()
    for worker in agent.renewals(stop) * 2:
        assert worker.once() == (RENEWAL_SECONDS, True)
    assert len(tried) == 4
    assert not stop.is_set()
