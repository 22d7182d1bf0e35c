"""What cannot work is reported within 10 s with its file, line or socket and what to do, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rancherctl.errors import AuthError, RancherctlError, UnreachableError, UsageError
from rancherctl.hosts.model import SshClient
from rancherctl.hosts.prompts import Prompts
from tests.fakes.openssh import make_key
from tests.fakes.ssh_site import Site, login_error

SECONDS = 10
KEY = "IdentityFile {d}/good\nIdentitiesOnly yes\nIdentityAgent none\n"


@dataclass(frozen=True)
class Wrong:
    """Lines of a configuration, the error's type, and words that it names."""

    lines: str
    kind: type[RancherctlError]
    named: tuple[str, ...]
    hint: str


WRONG = {
    "a ProxyCommand that does not exist": Wrong(
        KEY + "ProxyCommand /no/such/relay %h %p",
        UnreachableError,
        ("ProxyCommand", "/no/such/relay"),
        "run it by hand",
    ),
    "a ProxyCommand that fails": Wrong(
        KEY + "ProxyCommand sh -c 'echo no way out >&2; exit 3'",
        UnreachableError,
        ("ProxyCommand", "no way out"),
        "run it by hand",
    ),
    "a ProxyCommand with an unknown token": Wrong(
        KEY + "ProxyCommand nc %Q", UsageError, ("ProxyCommand nc %Q", "%Q"), "ssh configuration"
    ),
    "an agent that hangs": Wrong(
        "IdentityAgent {d}/mute.sock\nIdentityFile none", AuthError, ("{d}/mute.sock", "5 s"), "ssh.identity"
    ),
    "an agent that is not there": Wrong(
        "IdentityAgent {d}/gone.sock\nIdentityFile none", AuthError, ("{d}/gone.sock",), "ssh.identity"
    ),
    "a changed host key": Wrong(
        KEY + "UserKnownHostsFile {d}/changed", AuthError, ("{d}/changed:1", "has changed"), "ssh-keygen -R"
    ),
    "a revoked host key": Wrong(
        KEY + "UserKnownHostsFile {d}/revoked", AuthError, ("{d}/revoked:3", "revoked"), "do not connect"
    ),
    "a locked key": Wrong(
        "IdentityFile {d}/locked\nIdentitiesOnly yes\nIdentityAgent none",
        AuthError,
        ("{d}/locked is encrypted with a passphrase",),
        "ssh.identity",
    ),
    "a damaged certificate": Wrong(
        "IdentityFile {d}/bad_certificate\nIdentitiesOnly yes\nIdentityAgent none",
        AuthError,
        ("{d}/bad_certificate-cert.pub", "damaged"),
        "ssh.identity",
    ),
    "a certificate that does not exist": Wrong(
        "IdentityFile {d}/foreign\nCertificateFile {d}/gone\nIdentityAgent none\nIdentitiesOnly yes",
        AuthError,
        ("{d}/gone does not exist",),
        "ssh.identity",
    ),
    "a key that does not exist": Wrong(
        "IdentityFile {d}/gone\nIdentitiesOnly yes\nIdentityAgent none", AuthError, ("{d}/gone",), "ssh.identity"
    ),
    "a port where nothing listens": Wrong(KEY + "Port 1", UnreachableError, ("127.0.0.1:1",), "sshd"),
    "a line that ssh does not know": Wrong(
        KEY + "NoSuchOption yes", UsageError, ("nosuchoption", "{d}/config: line 5"), "ssh -G -F {d}/config"
    ),
}


@pytest.fixture(scope="module")
def bad_site(shared_ssh_site: Site) -> Site:
    if not (shared_ssh_site.folder / "bad_certificate").exists():
        make_key(shared_ssh_site.folder / "bad_certificate")
        (shared_ssh_site.folder / "bad_certificate-cert.pub").write_text(
            "ssh-ed25519-cert-v01@openssh.com AAAA broken\n"
        )
    return shared_ssh_site


@contextmanager
def mute_agent(path: Path) -> Iterator[None]:
    """Accepts connections and says nothing."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        try:
            yield
        finally:
            path.unlink()


def children() -> set[str]:
    """Processes that this one has started, and what they have started, apart from servers and those that have ended."""
    parents: dict[str, str] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            start, _, end = path.read_text().rpartition(")")
        except OSError:
            continue
        state, parent = end.split()[:2]
        if state != "Z" and "(sshd" not in start:
            parents[path.parent.name] = parent
    found = {str(os.getpid())}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
@pytest.mark.parametrize("name", WRONG)
def test_the_error_names_the_cause_and_the_remedy_and_nothing_is_left(
    bad_site: Site, name: str, client: SshClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_site.set_environment(monkeypatch)
    wrong = WRONG[name]
    config = bad_site.config(wrong.lines)
    processes, files = children(), contents(bad_site.folder)
    with mute_agent(bad_site.folder / "mute.sock"):
        begin = time.monotonic()
        error = login_error(config, client=client)
        assert time.monotonic() - begin < SECONDS
    assert isinstance(error, wrong.kind), repr(error)
    text = str(error)
    assert [word for word in wrong.named if bad_site.fill(word) not in text] == [], text
    assert bad_site.fill(wrong.hint) in error.hint
    assert children() <= processes
    assert contents(bad_site.folder) == files


def test_a_question_about_a_passphrase_that_gets_no_answer_ends_the_login(ssh_site: Site) -> None:
    asked: list[str] = []

    def no_answer(path: str) -> None:
        asked.append(path)

    prompts = Prompts(passphrase=no_answer)
    config = ssh_site.config("IdentityFile {d}/locked\nIdentitiesOnly yes\nIdentityAgent none")
    for client in ("paramiko", "openssh"):
        error = login_error(config, prompts=prompts, client=client)
        assert isinstance(error, AuthError)
        assert f"{ssh_site.folder}/locked is encrypted with a passphrase" in error.why
    assert asked == [f"{ssh_site.folder}/locked"] * 2
