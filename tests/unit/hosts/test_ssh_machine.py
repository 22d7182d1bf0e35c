"""Identity files that only OpenSSH can use, recognised by their content."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from rancherctl.hosts.ssh_machine import machine, special


def openssh_file(kind: bytes, kdf: bytes = b"none") -> str:
    """The beginning of a private key file: everything up to the private half."""

    def text(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    salt = text(b"0" * 16) + (16).to_bytes(4, "big") if kdf == b"bcrypt" else b""
    head = b"openssh-key-v1\0" + text(b"aes256-ctr") + text(kdf) + text(salt) + (1).to_bytes(4, "big")
    body = base64.encodebytes(head + text(text(kind) + text(b"1" * 32))).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (openssh_file(b"sk-ssh-ed25519@openssh.com"), "security key"),
        (openssh_file(b"sk-ecdsa-sha2-nistp256@openssh.com", b"bcrypt"), "security key"),
        ("sk-ssh-ed25519@openssh.com AAAA me", "security key"),
        ("-----BEGIN PRIVATE KEY-----\nMII", "PKCS #8"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII", "PKCS #8"),
        (openssh_file(b"ssh-ed25519"), ""),
        (openssh_file(b"ssh-ed25519", b"bcrypt"), ""),
        ("ssh-ed25519 AAAA me@sk-ssh-host", ""),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", ""),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n%%%", ""),
        ("", ""),
    ],
)
def test_security_keys_and_formats_that_paramiko_cannot_read_are_recognised(
    tmp_path: Path, text: str, word: str
) -> None:
    (tmp_path / "k").write_text(text)
    found = special(tmp_path / "k")
    assert (word in found and str(tmp_path / "k") in found) if word else found == ""


def test_files_that_are_missing_or_folders_are_left_to_the_login(tmp_path: Path) -> None:
    assert machine([str(tmp_path / "none"), str(tmp_path)], openssh_works=True).key_files == ()


def test_a_missing_program_and_one_that_does_not_work_are_distinguished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine((), openssh_works=True).no_openssh == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine((), openssh_works=False).no_openssh == "OpenSSH is not installed"
    (tmp_path / "ssh").write_text("#!/bin/sh\n")
    (tmp_path / "ssh").chmod(0o755)
    assert "user database" in machine((), openssh_works=False).no_openssh
