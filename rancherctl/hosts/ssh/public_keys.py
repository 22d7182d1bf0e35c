"""Public halves and certificates of keys, read without the private half."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)

_PRIVATE = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----")
_MAGIC = b"openssh-key-v1\0"
_PEM = "-----BEGIN "
MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Certificate:
    """A user certificate: its file, the key that it certifies (``blob``), and its bytes for the server."""

    path: str
    blob: bytes
    public: paramiko.pkey.PublicBlob


def read_certificate(path: Path) -> Certificate:
    """The certificate in a file; ValueError with the reason if it is damaged, OSError if it cannot be read."""
    text = read_text(path)
    try:
        found = load_ssh_public_identity(text.encode())
        public = paramiko.pkey.PublicBlob.from_string(text)
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException) as error:
        raise ValueError("is damaged") from error
    if not isinstance(found, SSHCertificate):
        raise ValueError("is not a certificate")  # noqa: TRY004 - the content of a file, not an argument's type
    raw = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return Certificate(str(path), base64.b64decode(raw.split()[1]), public)


def public_half(path: Path) -> bytes | None:
    """The public half of the key at ``path``: from this file, private or public, or from ``path.pub``."""
    for file in (path, path.with_name(f"{path.name}.pub")):
        try:
            text = read_text(file)
        except (OSError, ValueError):
            continue
        found = _of_private(text) if text.startswith(_PEM) else _of_public(text)
        if found is not None:
            return found
    return None


def read_text(path: Path) -> str:
    """A file's text; ValueError if it is too large for a key."""
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError("is too large for a key")
    return data.decode("utf-8", "replace")


def _of_public(text: str) -> bytes | None:
    words = text.split(None, 2)
    try:
        blob = base64.b64decode(words[1], validate=True)
        return blob if paramiko.Message(blob).get_binary().decode() == words[0] else None
    except (IndexError, ValueError):
        return None


def _of_private(text: str) -> bytes | None:
    """OpenSSH's own format keeps the public half in clear, even if a passphrase locks the private half."""
    begin, end = _PRIVATE
    if not text.startswith(begin) or end not in text:
        return None
    try:
        data = base64.b64decode("".join(text[len(begin) : text.index(end)].split()))
    except ValueError:
        return None
    if not data.startswith(_MAGIC):
        return None
    message = paramiko.Message(data[len(_MAGIC) :])
    for _ in ("cipher", "kdf", "options of the kdf"):
        message.get_binary()
    message.get_int()
    return message.get_binary() or None
