"""Transports of the chosen client, and the switch to OpenSSH when a login turns out to need it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rancherctl.errors import AuthError, RancherctlError, UsageError
from rancherctl.hosts.command import Command, Result, command
from rancherctl.hosts.connections import TransportFactory
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_clients import ChosenTransports, Client
from rancherctl.hosts.ssh_errors import LoginMethodError, NoCommonAlgorithmError
from rancherctl.hosts.ssh_settings import SshSettings, parse, settings_of
from rancherctl.hosts.transport import Stream

MISMATCH = NoCommonAlgorithmError("h1: no cipher in common", why="the server offers x", hint="add y")
ANSWERS = LoginMethodError("h1: paramiko cannot log in", why="the server offers keyboard-interactive")
REFUSED = AuthError("h1: login refused")


class Recorded:
    """A transport that records its calls, and fails if it should."""

    def __init__(self, name: str, calls: list[str], failure: RancherctlError | None) -> None:
        self.name, self._calls, self._failure = name, calls, failure

    def run(self, command: Command, *, check: bool = True) -> Result:
        self._use(f"run {command.show()}")
        return Result(command, 0, b"", b"")

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: object = None) -> None:
        self._use(f"upload {target}")

    def open_tcp(self, address: str, port: int) -> Stream:
        self._use(f"connect {address}:{port}")
        raise UsageError("connected")

    def _use(self, what: str) -> None:
        self._calls.append(f"{self.name}: {what}")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._calls.append(f"{self.name}: stop")

    def close(self) -> None:
        self._calls.append(f"{self.name}: close")


class Site:
    """The configurations of hosts, the machine, and both clients as recorded transports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hosts: Mapping[str, str], *, openssh: bool = True) -> None:
        self.calls: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.failure: RancherctlError | None = None
        self.resolved: list[str] = []

        def resolve(address: SshAddress) -> SshSettings | None:
            self.resolved.append(address.host)
            return settings_of(address, parse(hosts[address.host]), {}) if openssh else None

        monkeypatch.setattr("rancherctl.hosts.ssh_configurations.resolve", resolve)
        if not openssh:
            monkeypatch.setenv("PATH", "/nonexistent")
            monkeypatch.setattr(
                "rancherctl.hosts.ssh_configurations._without_openssh",
                lambda address: settings_of(address, parse(hosts[address.host]), {}),
            )
        makers: dict[Client, Callable[[], TransportFactory]] = {
            "paramiko": lambda: self._factory("paramiko"),
            "openssh": lambda: self._factory("openssh"),
        }
        prompts = Prompts(warn=self.warnings.append, note=self.notes.append)
        self.transports = ChosenTransports(prompts, makers)

    def _factory(self, client: str) -> Any:
        site = self

        class Factory:
            def create(self, address: SshAddress, name: str) -> Recorded:
                return Recorded(client, site.calls, site.failure if client == "paramiko" else None)

            def shared(self) -> Sequence[Recorded]:
                return (Recorded(f"jump of {client}", site.calls, None),)

        return Factory()


def test_each_host_gets_the_client_that_its_configuration_needs_with_one_note(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "hostname a", "b": "pkcs11provider /p.so"})
    site.transports.create(SshAddress("a"), "h1").run(command("true"))
    site.transports.create(SshAddress("b"), "h2").run(command("true"))
    assert site.calls == ["paramiko: run true", "openssh: run true"]
    assert site.notes == [
        "h1: ssh client paramiko (the ssh configuration does not need OpenSSH)",
        "h2: ssh client OpenSSH (the ssh configuration needs PKCS11Provider /p.so)",
    ]


def test_a_host_whose_transport_two_threads_make_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "hostname a"})
    for _ in range(2):
        site.transports.create(SshAddress("a"), "h1")
    assert len(site.notes) == 1


def test_jump_hosts_of_both_clients_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "hostname a", "b": "pkcs11provider /p.so"})
    assert site.transports.shared() == ()
    for host in "ab":
        site.transports.create(SshAddress(host), "")
    assert [transport.name for transport in site.transports.shared()] == ["jump of paramiko", "jump of openssh"]


def test_what_a_jump_host_needs_counts_also_if_it_is_reached_through_another(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {
        "a": "proxyjump gate",
        "gate": "proxyjump outer",
        "outer": "knownhostscommand /bin/keys",
        "b": "proxyjump gate2",
        "gate2": "hostname gate2",
    }
    site = Site(monkeypatch, hosts)
    site.transports.create(SshAddress("a"), "h1")
    site.transports.create(SshAddress("b"), "h2")
    assert site.notes == [
        "h1: ssh client OpenSSH (the ssh configuration needs KnownHostsCommand of the jump host outer)",
        "h2: ssh client paramiko (the ssh configuration does not need OpenSSH)",
    ]


def test_jump_hosts_in_a_loop_end(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "proxyjump b", "b": "proxyjump a"})
    site.transports.create(SshAddress("a"), "h1")
    assert site.resolved == ["a", "b"]


@pytest.mark.parametrize("failure", [MISMATCH, ANSWERS])
def test_a_login_that_paramiko_cannot_do_switches_to_openssh_once(
    monkeypatch: pytest.MonkeyPatch, failure: RancherctlError
) -> None:
    site = Site(monkeypatch, {"a": "hostname a"})
    site.failure = failure
    transport = site.transports.create(SshAddress("a"), "h1")
    transport.run(command("one"))
    transport.run(command("two"))
    transport.upload(Path("f"), "/t")
    with pytest.raises(UsageError, match="connected"):
        transport.open_tcp("10.0.0.1", 80)
    assert site.calls == [
        "paramiko: run one",
        "paramiko: close",
        "openssh: run one",
        "openssh: run two",
        "openssh: upload /t",
        "openssh: connect 10.0.0.1:80",
    ]
    assert site.notes[1:] == [f"{failure}; continuing with OpenSSH"]
    transport.close()
    assert site.calls[-2:] == ["openssh: stop", "openssh: close"]


def test_threads_that_fail_together_switch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "hostname a"})
    site.failure = MISMATCH
    transport = site.transports.create(SshAddress("a"), "h1")
    threads = [threading.Thread(target=transport.run, args=(command("true"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.calls.count("openssh: run true") == 8
    assert site.calls.count("paramiko: close") == 1
    assert len(site.notes) == 2


def test_a_refused_login_is_not_repeated_with_the_other_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers count refused keys, and lock out who has too many of them."""
    site = Site(monkeypatch, {"a": "hostname a"})
    site.failure = REFUSED
    with pytest.raises(AuthError, match="login refused"):
        site.transports.create(SshAddress("a"), "h1").run(command("true"))
    assert site.calls == ["paramiko: run true"]


def test_after_the_end_of_the_run_nothing_connects_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "hostname a"})
    site.failure = ANSWERS
    transport = site.transports.create(SshAddress("a"), "h1")
    transport.stop()
    with pytest.raises(LoginMethodError):
        transport.run(command("true"))
    assert site.calls == ["paramiko: stop", "paramiko: run true"]


@pytest.mark.parametrize(
    ("client", "openssh", "remedy"),
    [("paramiko", True, "--ssh-client openssh"), ("auto", False, "install OpenSSH's client")],
)
def test_without_a_second_client_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, client: Any, openssh: bool, remedy: str
) -> None:
    site = Site(monkeypatch, {"a": "hostname a"}, openssh=openssh)
    site.failure = NoCommonAlgorithmError("h1: no cipher in common", why="the server offers x", hint="add y")
    with pytest.raises(NoCommonAlgorithmError) as caught:
        site.transports.create(SshAddress("a", client=client), "h1").run(command("true"))
    assert caught.value.hint.startswith("add y; or ")
    assert remedy in caught.value.hint
    assert site.calls == ["paramiko: run true"]


def test_a_configuration_that_needs_a_missing_openssh_is_an_error_before_any_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": "pkcs11provider /p.so"}, openssh=False)
    with pytest.raises(UsageError) as caught:
        site.transports.create(SshAddress("a"), "h1")
    assert caught.value.what == ("h1: the ssh configuration needs PKCS11Provider /p.so, but OpenSSH is not installed")
    assert "openssh-client" in caught.value.hint
    assert "--ssh-client paramiko" in caught.value.hint
    with pytest.raises(UsageError, match="h1: OpenSSH was requested, but OpenSSH is not installed"):
        site.transports.create(SshAddress("a", client="openssh"), "h1")
    assert site.calls == []


def test_paramiko_requested_against_the_configuration_warns_once_for_all_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": "revokedhostkeys /r", "b": "revokedhostkeys /r"})
    for host in "ab":
        site.transports.create(SshAddress(host, client="paramiko"), host).run(command("true"))
    assert site.warnings == ["warning: the ssh configuration needs RevokedHostKeys /r, which paramiko does not support"]
    assert site.calls == ["paramiko: run true", "paramiko: run true"]


def test_a_configuration_is_resolved_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """``Match exec`` may run slow commands."""
    site = Site(monkeypatch, {"a": "proxyjump gate", "b": "proxyjump gate", "gate": "hostname gate"})
    for host in "aab":
        site.transports.create(SshAddress(host), host)
    assert site.resolved == ["a", "gate", "b"]
