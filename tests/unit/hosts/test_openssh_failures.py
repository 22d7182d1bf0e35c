"""Why OpenSSH did not log in: the same errors as of every other login. The logs are of OpenSSH 9.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.hosts.known_hosts import fingerprint
from rancherctl.hosts.openssh.failures import Attempt, failure
from rancherctl.hosts.openssh.host_key_policy import AcceptedFingerprints, HostKeyPolicy
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.hosts.ssh_login_attempts import DroppedError
from rancherctl.hosts.ssh_settings import SshSettings

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SHOWN = f"ssh-ed25519 {fingerprint(KEY)}"
START = "debug1: Connecting to 10.0.0.1 [10.0.0.1] port 22.\r\n"
CONNECTED = f"{START}debug1: Authenticating to 10.0.0.1:22 as 'root'\r\ndebug1: Server host key: {SHOWN}\r\n"
OFFER = f"debug1: Offering public key: /k ED25519 {fingerprint(KEY)} explicit\r\n"
REVOKED = f"{CONNECTED}@       WARNING: REVOKED HOST KEY DETECTED!               @\r\nHost key verification failed.\r\n"


def policy(settings: SshSettings, accepted: AcceptedFingerprints | None = None, **prompts: Any) -> HostKeyPolicy:
    return HostKeyPolicy("h1", settings, Prompts(**prompts), accepted or AcceptedFingerprints())


def settings(**more: Any) -> SshSettings:
    base: dict[str, Any] = {"identities": (), "known_hosts": (), "store": "/known"}
    return SshSettings("10.0.0.1", 22, "root", **(base | more))


def error(
    log: str, reason: str = "", made: SshSettings | None = None, **attempt: Any
) -> RancherctlError | DroppedError:
    made = made or settings()
    return failure(Attempt("h1", made, log, **attempt), policy(made), reason)


def auth(log: str, **attempt: Any) -> AuthError:
    found = error(log, **attempt)
    assert isinstance(found, AuthError), found
    return found


def unreachable(log: str, reason: str = "", **attempt: Any) -> UnreachableError:
    found = error(log, reason, **attempt)
    assert isinstance(found, UnreachableError), found
    return found


@pytest.mark.parametrize(
    "end",
    [
        "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r\n",
        "Connection closed by 10.0.0.1 port 22\r\n",
    ],
)
def test_a_server_that_ends_the_attempts_has_refused_the_keys(end: str) -> None:
    found = auth(CONNECTED + OFFER + end)
    assert found.what == "h1: login as root refused (tried /k)"
    assert found.why == "the server closed the connection after 1 attempts"


def test_what_could_not_be_tried_is_listed_in_full(tmp_path: Path) -> None:
    broken = tmp_path / "a-cert.pub"
    broken.write_text("ssh-ed25519-cert-v01@openssh.com AAAA broken")
    (tmp_path / "b.pub").write_text("ssh-ed25519 AAAA b")
    made = settings(identities=(str(tmp_path / "a"), str(tmp_path / "b")), agent="/agent")
    found = auth(
        f"{CONNECTED}root@10.0.0.1: Permission denied (publickey).\r\n",
        made=made,
        refused=[("passphrase", "/locked"), ("question", "Enter PIN for 'token':")],
        problems={"agent /agent": "did not answer within 5 s"},
    )
    assert found.what == "h1: login as root refused (tried nothing)"
    assert found.why.split("; ") == [
        "no key, agent or password is available",
        "agent /agent did not answer within 5 s",
        "/locked is encrypted with a passphrase",
        "the question \"Enter PIN for 'token':\" has no answer",
        f"{tmp_path}/a does not exist",
        f"{tmp_path}/b has no private key, and the agent does not hold it",
        f"{broken} is damaged",
    ]


def test_a_wrong_passphrase_is_named_before_the_refusal_that_follows_from_it() -> None:
    log = f"{CONNECTED}debug1: Server accepts key: /k ED25519 SHA256:x explicit\r\n"
    found = auth(f"{log}root@10.0.0.1: Permission denied (publickey).\r\n", answered=[("passphrase", "/k")])
    assert (found.what, found.why) == ("cannot decrypt the key /k", "the passphrase is wrong")


def test_the_line_that_revokes_a_key_is_named(tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"# keys\n@revoked * ssh-ed25519 {KEY}\n")
    found = auth(REVOKED, made=settings(known_hosts=(str(known),)))
    assert (found.what, found.why) == ("h1: the host key is revoked", f"{SHOWN}, by {known}:2")


def test_a_revoked_key_is_refused_even_if_ssh_goes_on() -> None:
    """It does so with StrictHostKeyChecking no."""
    with pytest.raises(AuthError, match="the host key is revoked"):
        policy(settings(strict="no")).check_after_login(REVOKED)


def test_a_host_certificate_that_is_not_valid_is_the_reason_rather_than_an_unknown_key() -> None:
    log = f"{CONNECTED}Certificate invalid: expired\r\nHost key verification failed.\r\n"
    assert auth(log).what == "h1: the host certificate is not valid"
    assert auth(log).why == "expired"


def test_an_unknown_key_is_asked_about_once_in_a_run() -> None:
    asked: list[HostKeyQuestion] = []
    made = policy(settings(), host_key=lambda question: not asked.append(question))
    assert made.ask("10.0.0.1", "ED25519", "SHA256:a", None)
    assert made.ask("10.0.0.1", "ED25519", "SHA256:a", None)
    assert made.ask("bastion", "ED25519", "SHA256:a", None)
    assert [(question.host, question.name) for question in asked] == [("h1", "10.0.0.1"), ("bastion", "bastion")]


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (
            "Warning: Permanently added '10.0.0.1' (ED25519) to the list of known hosts.\r\n",
            f"warning: h1: accepted host key {SHOWN} without a check, stored in /known (StrictHostKeyChecking no)",
        ),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nOffending ED25519 key in /known:7\r\n",
            f"warning: h1: the host key has changed to {SHOWN}; /known:7 has another key",
        ),
    ],
)
def test_a_key_that_the_configuration_accepts_is_announced_once(lines: str, warning: str) -> None:
    warned: list[str] = []
    made = policy(settings(strict="no"), warn=warned.append)
    made.check_after_login(CONNECTED + lines)
    made.check_after_login(CONNECTED + lines)
    assert warned == [warning]


def test_no_connection_is_explained_by_ssh_or_by_the_jump_host() -> None:
    log = f"{START}ssh: connect to host 10.0.0.1 port 22: No route to host\r\n"
    assert str(unreachable(log)) == "h1: cannot connect to 10.0.0.1:22: No route to host"
    log = "debug1: Executing proxy command\r\nConnection closed by UNKNOWN port 65535\r\n"
    found = unreachable(log, "connect failed: Connection refused", via="gate")
    assert str(found) == "h1: cannot connect to 10.0.0.1:22 through gate: connect failed: Connection refused"


def test_the_last_line_of_a_failed_proxy_command_is_the_reason() -> None:
    made = settings(proxy_command="relay 10.0.0.1")
    log = "debug1: Executing proxy command: exec relay\r\nConnection closed by UNKNOWN port 65535\r\n"
    found = unreachable(log, made=made, noise="hello\nno route to the bastion\n")
    assert found.what == "h1: the ProxyCommand of the ssh configuration failed"
    assert found.why == "no route to the bastion"
    assert found.hint == "run it by hand: relay 10.0.0.1"
    silent = error(log, made=made)
    assert isinstance(silent, DroppedError)
    assert "the ProxyCommand is relay 10.0.0.1" in str(silent)


def test_a_connection_that_is_closed_before_the_login_may_be_tried_again() -> None:
    assert isinstance(error(f"{START}Connection closed by 10.0.0.1 port 22\r\n"), DroppedError)


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (f"{START}Connection timed out during banner exchange\r\n", "Connection timed out during banner exchange"),
        (
            f"{CONNECTED}ssh_dispatch_run_fatal: Connection to 10.0.0.1 port 22: corrupted MAC on input\r\n",
            "ssh_dispatch_run_fatal: Connection to 10.0.0.1 port 22: corrupted MAC on input",
        ),
        ("", "ssh ended without a message"),
    ],
)
def test_any_other_failure_has_the_last_message_of_ssh_as_its_reason(log: str, why: str) -> None:
    found = unreachable(log)
    assert (found.what, found.why) == ("h1: cannot start ssh with 10.0.0.1:22", why)
