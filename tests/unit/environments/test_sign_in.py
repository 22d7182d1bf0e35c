"""Signing in at control-plane hosts, and OpenSSH's command line for renewals."""

from dataclasses import replace

import pytest

from rancherctl.environments import sign_in as module
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.sign_in import PROGRAM, renewal_argv, sign_in_at_any
from rancherctl.errors import UnreachableError
from rancherctl.hosts.model import Host, SshAddress

SSH = SshAddress(
    "cp.example.org",
    user="ops",
    port=2222,
    identity="/home/me/.ssh/ops",
    known_hosts="/home/me/.ssh/known",
    jump="gate",
)


def options(argv: tuple[str, ...]) -> dict[str, str]:
    return dict(argv[i + 1].split("=", 1) for i, word in enumerate(argv) if word == "-o")


def test_a_renewal_checks_host_keys_as_the_configuration_says_and_asks_nothing() -> None:
    """Like the login: with `UserKnownHostsFile /dev/null` and `StrictHostKeyChecking no` a renewal works, too."""
    argv = renewal_argv(Host("h1", "10.0.0.11", frozenset({"controlplane"}), SSH), "alice", "laptop")
    found = options(argv)
    assert "StrictHostKeyChecking" not in found
    assert found["BatchMode"] == "yes"
    assert found["UserKnownHostsFile"] == "/home/me/.ssh/known"
    assert argv[-6:] == ("cp.example.org", PROGRAM, "--operator", "alice", "--session", "laptop")


@pytest.mark.parametrize(
    ("unreachable", "expected"), [((), ["h1"]), (("h1",), ["h1", "h2"]), (("h1", "h2", "h3"), None)]
)
def test_an_operator_signs_in_at_any_control_plane_host_that_answers(
    unreachable: tuple[str, ...], expected: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = from_flags("demo", ["10.0.0.11", "10.0.0.12", "10.0.0.13"]).environment
    environment = replace(flat, hosts=tuple(replace(h, roles=frozenset({"controlplane"})) for h in flat.hosts))
    tried: list[str] = []

    def sign_in(host: str, *_: object) -> bytes:
        tried.append(host)
        if host in unreachable:
            raise UnreachableError(f"{host}: no answer")
        return host.encode()

    monkeypatch.setattr(module, "sign_in", sign_in)
    if expected is None:
        with pytest.raises(UnreachableError, match="h1: no answer"):
            sign_in_at_any(environment, lambda host: host.name, "ann", "laptop", "laptop")  # type: ignore[arg-type, return-value]
        return
    found = sign_in_at_any(environment, lambda host: host.name, "ann", "laptop", "laptop")  # type: ignore[arg-type, return-value]
    assert (found, tried) == (expected[-1].encode(), expected)
