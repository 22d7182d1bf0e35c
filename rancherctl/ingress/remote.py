"""Runs on a host: says which certificates the folder of the load balancer has, without their keys.

Sent as text; standard library and hosts.remote.disk only. One JSON request on standard input, one JSON answer on
standard output.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

from rancherctl.hosts.remote import disk

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
MAX_SIZE = 1 << 20
"""Bytes of one file that are read; certificates and keys have 30,000 at most."""


def certificates(request: dict[str, Any]) -> dict[str, Any]:
    """Every file below ``folder``, and what the agent's ``state`` file says about contents.

    A file: ``name`` relative to the folder, ``mode``, ``owner``, ``content`` (the first 24 digits of the SHA-256 of
    the file), ``key`` (whether a private key is in it), ``certificate`` (the first one, PEM); or the ``error``.
    """
    folder = str(disk.at(request["folder"]))
    found = []
    for place, _, names in os.walk(folder):
        found += [describe(os.path.join(place, name), folder) for name in names]
    return {"files": sorted(found, key=lambda file: file["name"]), "state": state(str(disk.at(request["state"])))}


def describe(path: str, folder: str) -> dict[str, Any]:
    """One file, see ``certificates``."""
    out: dict[str, Any] = {"name": os.path.relpath(path, folder)}
    try:
        with open(path, "rb") as file:
            data, stat = file.read(MAX_SIZE), os.fstat(file.fileno())
    except OSError as error:
        return {**out, "error": disk.reason(error)}
    first = CERTIFICATE.search(data)
    return {
        **out,
        "mode": stat.st_mode & 0o7777,
        "owner": disk.owner_of(stat.st_uid, stat.st_gid),
        "content": hashlib.sha256(data).hexdigest()[:24],
        "key": b"PRIVATE KEY-----" in data,
        "certificate": first[0].decode("ascii", "replace") if first else "",
    }


def state(path: str) -> dict[str, Any]:
    """Secret → content, the lines of the crt-list (content and names), the default content; {} without the file."""
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read().partition(b"\n")[2])
        layout = value["layout"]
        return {
            "secrets": value.get("secrets") or {},
            "lines": layout.get("certificates") or [],
            "default": layout.get("default_certificate") or "",
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return {"error": f"cannot read {path}: {disk.reason(error)}"}


OPERATIONS = {"certificates": certificates}
