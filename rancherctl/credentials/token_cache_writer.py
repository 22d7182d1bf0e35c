"""Writing the file with a cached token: the first line has its times, the rest is the document that the plug-in prints.

The first line is ``1 WALL_REFRESH WALL_END BOOT_REFRESH BOOT_END BOOT_ID``. Within one boot the boot clock decides,
so that setting the wall clock neither keeps an expired token nor drops a valid one. ``token_cache`` reads the file.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rancherctl.bound_tokens import Token
from rancherctl.credentials.token_cache import boot_now
from rancherctl.files import replace as replace_file

REFRESH_PART = 0.25
"""A token is renewed in the last quarter of its lifetime, and still used meanwhile."""


def cache_content(token: Token, wall: float, boot: tuple[float, str]) -> str:
    """The file's content for a token issued just now."""
    early = token.seconds * (1 - REFRESH_PART)
    seconds, boot_id = boot
    until = datetime.fromtimestamp(wall + token.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ends = (wall + early, wall + token.seconds, seconds + early, seconds + token.seconds)
    head = " ".join(("1", *(f"{end:.0f}" for end in ends), boot_id or "-"))
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": str(token.value), "expirationTimestamp": until},
    }
    return f"{head}\n{json.dumps(credential)}\n"


def write_token(path: Path, token: Token, wall: float) -> str:
    """Store a token (0600) and return the document that the plug-in prints."""
    content = cache_content(token, wall, boot_now())
    write_content(path, content)
    return cached_document(content)


def write_content(path: Path, content: str) -> None:
    """Write a file's content (0600); no process has this token yet."""
    replace_file(path, content.encode())
    Path(f"{path}.callers").unlink(missing_ok=True)


def cached_document(content: str) -> str:
    """The document in a file's content."""
    return content.partition("\n")[2]
