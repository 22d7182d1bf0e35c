"""What this machine has for ssh: OpenSSH's client, and identity files that only it can read."""

from __future__ import annotations

import base64
import binascii
import shutil
from collections.abc import Iterable
from pathlib import Path

from rancherctl.hosts.ssh_choice import Machine

READ = 1 << 14
_PKCS8 = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_SECURITY_KEYS = (b"sk-ssh-", b"sk-ecdsa-")


def machine(identities: Iterable[str], *, openssh_works: bool) -> Machine:
    """The facts for one host. ``openssh_works``: whether ``ssh -G`` resolved its configuration."""
    missing = ""
    if not openssh_works:
        missing = (
            "OpenSSH does not work for a user id without an entry in the user database"
            if shutil.which("ssh")
            else "OpenSSH is not installed"
        )
    return Machine(missing, tuple(text for path in identities if (text := special(Path(path)))))


def special(path: Path) -> str:
    """What is special about an identity file, in words: the handle of a security key, or PKCS #8; "" if nothing is."""
    try:
        with path.open("rb") as file:
            text = file.read(READ).decode("ascii", "replace")
    except OSError:
        # a missing or unreadable file is reported by the login
        return ""
    if text.startswith(_PKCS8):
        return f"the key {path} in the format PKCS #8"
    if text.startswith(_OPENSSH):
        content = "".join(text.removeprefix(_OPENSSH).partition("-----END")[0].split())
        try:
            start = base64.b64decode(content[: len(content) // 4 * 4])
        except binascii.Error:
            return ""
        # the public half stands in clear before the private one, and begins with the name of its type
        security_key = any(kind in start[:128] for kind in _SECURITY_KEYS)
    else:
        security_key = text.startswith("sk-")
    return f"the security key {path}" if security_key else ""
