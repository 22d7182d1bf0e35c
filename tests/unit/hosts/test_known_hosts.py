from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from rancherctl.errors import AuthError
from rancherctl.hosts.host_keys import HostKeyRules, check, preferred
from rancherctl.hosts.known_hosts import KnownHostsLine, check_key, entries, fingerprint, lookup_name

KEY, OTHER = "QUJD", "REVG"


def hashed(name: str) -> str:
    salt = b"0123456789abcdef0123"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("patterns", "name", "found"),
    [
        ("h1", "h1", True),
        ("h1", "h11", False),
        ("H1", "h1", True),
        ("Prod-Boss", "Prod-Boss", True),  # HostKeyAlias is kept as the user writes it
        (hashed("Prod-Boss"), "Prod-Boss", True),
        ("h1,10.0.0.1", "10.0.0.1", True),
        ("10.0.0.*", "10.0.0.77", True),
        ("h?", "h12", False),
        ("*,!h1", "h1", False),
        ("*,!h1", "h2", True),
        ("[h1]:2222", "[h1]:2222", True),
        ("[h1]:2222", "h", False),
        (hashed("h1"), "h1", True),
        (hashed("h1"), "h2", False),
        ("|1|broken", "h1", False),
        ("[abc]", "a", False),
    ],
)
def test_host_names_match_patterns(patterns: str, name: str, *, found: bool) -> None:
    assert bool(entries([("f", f"{patterns} ssh-ed25519 {KEY} comment")], [name])) is found


def test_comments_and_invalid_lines_are_ignored() -> None:
    text = f"\n# h1 ssh-ed25519 {KEY}\nh1 ssh-ed25519\n@unknown h1 ssh-ed25519 {KEY}\n"
    assert entries([("f", text)], ["h1"]) == ()


def test_a_line_keeps_its_file_and_number() -> None:
    found = entries([("a", "x"), ("b", f"#\n\nh1 ssh-rsa {KEY}\n")], ["h1"])
    assert found == (KnownHostsLine("b", 3, "ssh-rsa", KEY),)


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ("", "unknown"),
        (f"h1 ssh-ed25519 {KEY}", "known"),
        (f"h1 ssh-ed25519 {OTHER}", "changed"),
        (f"h1 ssh-rsa {OTHER}", "changed"),
        (f"h1 ssh-ed25519 {OTHER}\nh1 ssh-ed25519 {KEY}", "known"),
        (f"h1 ssh-ed25519 {KEY}\n@revoked * ssh-ed25519 {KEY}", "revoked"),
        (f"@revoked * ssh-ed25519 {OTHER}", "unknown"),
        (f"h1 ssh-rsa {KEY}", "changed"),
        (f"@cert-authority h1 ssh-ed25519 {KEY}", "unknown"),
        (f"@cert-authority h1 ssh-ed25519 {OTHER}", "unknown"),
    ],
)
def test_a_key_is_checked_against_the_lines(lines: str, answer: str) -> None:
    assert check_key(entries([("f", lines)], ["h1"]), "ssh-ed25519", KEY).answer == answer


def test_a_changed_key_names_the_line_of_the_same_type() -> None:
    verdict = check_key(entries([("f", f"h1 ssh-rsa {OTHER}\nh1 ssh-ed25519 {OTHER}")], ["h1"]), "ssh-ed25519", KEY)
    assert verdict.entry is not None
    assert verdict.entry.line == 2


def test_lookup_names_and_fingerprints() -> None:
    assert lookup_name("Host.Example", 22) == "host.example"
    assert lookup_name("h1", 2222) == "[h1]:2222"
    assert fingerprint(KEY) == "SHA256:tdQEXD9Gb6kf4sxqvnkjKhpXzfEE96JucW4KHieJ33g"


def test_known_algorithms_are_preferred_and_rsa_includes_its_newer_signatures() -> None:
    offered = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    assert preferred(offered, [KnownHostsLine("f", 1, "ssh-rsa", KEY)]) == (
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
    )
    assert preferred(offered, []) == offered


def test_the_hint_for_an_unknown_host_includes_its_port() -> None:
    with pytest.raises(AuthError) as caught:
        check("h1", ("ssh-ed25519", KEY), (), HostKeyRules(store="/k"), name="[h1]:2222")
    assert caught.value.hint.endswith("ssh-keyscan -p 2222 h1 >> /k")
