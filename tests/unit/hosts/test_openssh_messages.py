"""OpenSSH's log: what is read from it, and what a server cannot pretend. The texts are of OpenSSH 9.2."""

from __future__ import annotations

import pytest

from rancherctl.hosts.openssh import messages

FINGERPRINT = "SHA256:l2vGX5ZLgs/HrwoseR2F8rKEv3WBc1tjFlxD0ROD62Y"
START = "debug1: Connecting to 10.0.0.1 [10.0.0.1] port 22.\r\ndebug1: Connection established.\r\n"
KEY = (
    f"{START}debug1: Authenticating to 10.0.0.1:22 as 'root'\r\ndebug1: Server host key: ssh-ed25519 {FINGERPRINT}\r\n"
)
CHANGED = f"""{KEY}@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
Add correct host key in /home/a b/known_hosts to get rid of this message.\r
Offending ECDSA key in /home/a b/known_hosts:3\r
Host key for 10.0.0.1 has changed and you have requested strict checking.\r
Host key verification failed.\r
"""
OFFERS = f"""{KEY}debug1: Next authentication method: publickey\r
debug1: Offering public key: /home/a/my key ED25519 {FINGERPRINT} explicit\r
debug1: Authentications that can continue: publickey\r
debug1: Offering public key: /home/a/held RSA {FINGERPRINT} explicit agent\r
debug1: Offering public key: ann@laptop ECDSA {FINGERPRINT} agent\r
debug1: Offering public key: /home/a/certified ED25519-CERT {FINGERPRINT} explicit\r
debug1: Trying private key: /home/a/absent\r
debug1: Trying private key: /home/a/old.pem\r
debug1: Trying private key: /home/a/bad\r
Load key "/home/a/bad": error in libcrypto\r
debug1: Next authentication method: password\r
root@10.0.0.1: Permission denied (publickey,password).\r
"""


def test_the_keys_that_were_tried_are_listed_as_files_and_agent_keys() -> None:
    assert messages.tried(OFFERS, lambda path: path != "/home/a/absent") == [
        "/home/a/my key",
        "/home/a/held (agent)",
        "agent key ann@laptop",
        "/home/a/certified (certificate)",
        "/home/a/old.pem",
        "password",
    ]
    assert messages.denied(OFFERS).startswith("root@10.0.0.1: Permission denied")
    assert messages.key_problems(OFFERS, "/agent") == ["/home/a/bad is not a supported private key"]


def test_the_place_of_a_changed_key_is_found() -> None:
    assert messages.changed_place(CHANGED) == ("/home/a b/known_hosts", 3)
    assert str(messages.server_key(CHANGED)) == f"ssh-ed25519 {FINGERPRINT}"
    assert messages.key_refused(CHANGED)
    assert not messages.is_revoked(CHANGED)


@pytest.mark.parametrize(
    "said",
    [
        "debug1: kex_exchange_identification: banner line 0: debug1: Entering interactive session.\r\n",
        "debug1: Remote: debug1: Entering interactive session.\r\n",
        f"debug1: kex_exchange_identification: banner line 0: Server host key: ssh-ed25519 {FINGERPRINT}\r\n",
    ],
)
def test_what_a_server_says_is_not_taken_for_a_message_of_ssh(said: str) -> None:
    assert not messages.is_ready(START + said)
    assert messages.server_key(START + said) is None


def test_a_session_is_ready_once_the_line_is_complete() -> None:
    assert messages.is_ready(f"{KEY}debug1: Entering interactive session.\r\n")


@pytest.mark.parametrize(
    ("end", "dropped"),
    [
        (
            "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.1 port 22",
            True,
        ),
        ("kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 10.0.0.1 port 22", True),
        ("Connection closed by UNKNOWN port 65535", True),
        ("Connection timed out during banner exchange\r\nConnection to 10.0.0.1 port 22 timed out", False),
    ],
)
def test_connections_that_are_closed_before_the_login_count_as_dropped(end: str, dropped: bool) -> None:
    assert messages.was_dropped(f"{START}{end}\r\n") is dropped
    assert not messages.was_dropped(f"{KEY}{end}\r\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no matching cipher found. Their offer: aes256-cbc,3des-cbc", ("cipher", "aes256-cbc, 3des-cbc")),
        (
            "no matching key exchange method found. Their offer: diffie-hellman-group1-sha1,ext-info-s",
            ("key exchange", "diffie-hellman-group1-sha1"),
        ),
        ("no matching host key type found. Their offer: ssh-dss", ("host key type", "ssh-dss")),
    ],
)
def test_the_algorithms_that_a_server_offers_are_listed(line: str, expected: tuple[str, str]) -> None:
    assert messages.offers(f"{START}Unable to negotiate with 10.0.0.1 port 22: {line}\r\n") == expected


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", "No route to host"),
        ("ssh: Could not resolve hostname web.example: Name or service not known", "Name or service not known"),
    ],
)
def test_the_reason_of_a_failed_connection_is_found(line: str, why: str) -> None:
    assert messages.connect_problem(f"debug1: Connecting to x\r\n{line}\r\n") == why


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ("debug1: Server accepts key: /k ED25519 SHA256:x explicit\r\ndebug1: No more authentication methods", True),
        ("debug1: Trying private key: /k\r\ndebug1: No more authentication methods to try.", True),
        ("debug1: Trying private key: /k\r\ndebug1: Authentications that can continue: publickey", False),
        ("debug1: Server accepts key: /other ED25519 SHA256:x explicit", False),
    ],
)
def test_a_wrong_passphrase_differs_from_a_key_that_the_server_refuses(lines: str, wrong: bool) -> None:
    asked = lines.replace("/k\r\n", "/k\r\ndebug1: read_passphrase: requested to askpass\r\n")
    assert messages.passphrase_was_wrong(KEY + asked + "\r\n", "/k") is wrong


def test_of_failed_connections_from_a_host_the_last_one_to_the_target_counts() -> None:
    """Several may be opened at once; their channel is only known from the lines before."""
    log = (
        "debug1: channel_connect_stdio_fwd: 10.0.0.5:6443\r\n"
        "debug1: channel 3: new stdio-forward [stdio-forward] (inactive timeout: 0)\r\n"
        "debug1: channel_connect_stdio_fwd: ::1:80\r\n"
        "debug1: channel 4: new stdio-forward [stdio-forward] (inactive timeout: 0)\r\n"
        "channel 4: open failed: administratively prohibited: open failed\r\n"
    )
    assert messages.open_failure(log, "10.0.0.5", 6443) == ""
    failed = f"{log}channel 3: open failed: connect failed: No route to host\r\n"
    assert messages.open_failure(failed, "10.0.0.5", 6443) == "connect failed: No route to host"
    assert messages.open_failure(failed, "::1", 80) == "administratively prohibited: open failed"
    again = (
        "debug1: channel_connect_stdio_fwd: 10.0.0.5:6443\r\n"
        "debug1: channel 3: new stdio-forward [stdio-forward] (inactive timeout: 0)\r\n"
    )
    assert messages.open_failure(failed + again, "10.0.0.5", 6443) == ""


def test_approval_is_waited_for_after_the_server_has_accepted_a_key() -> None:
    accepted = f"{KEY}debug1: Server accepts key: /k ED25519-SK {FINGERPRINT} explicit\r\n"
    assert messages.is_waiting_for_approval(accepted)
    assert not messages.is_waiting_for_approval(f"{accepted}debug1: Authentications that can continue: publickey\r\n")
