"""Runs on a host: reads certificates, makes keys and requests, writes files.

Sent as text; standard library and hosts.remote.disk only. One JSON request on standard input, one JSON answer on
standard output. Keys are made with openssl and never leave the host.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from typing import Any

from rancherctl.hosts.remote import disk

CURVE = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def openssl(*words: str) -> bytes:
    """Standard output of one openssl command."""
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise disk.StepError(
            "openssl "
            + words[0]
            + ": "
            + (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["failed"])[-1]
        )
    return done.stdout


def describe(path: str) -> dict[str, Any] | None:
    """Hash, mode and owner of a file, and the text of a public one; None if it does not exist."""
    try:
        with open(path, "rb") as file:
            data = file.read()
            stat = os.fstat(file.fileno())
    except (FileNotFoundError, NotADirectoryError):
        return None
    out: dict[str, Any] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "mode": stat.st_mode & 0o7777,
        "owner": disk.owner_of(stat.st_uid, stat.st_gid),
    }
    if path.endswith((".crt", ".pub")):
        out["text"] = data.decode("ascii", "replace")
    return out


def public_hash(key: str) -> str:
    """sha256 of a key's public part (DER), "" without a usable key."""
    if not os.path.exists(key):
        return ""
    try:
        return hashlib.sha256(openssl("pkey", "-in", key, "-pubout", "-outform", "DER")).hexdigest()
    except disk.StepError:
        return ""


def observe(request: dict[str, Any]) -> dict[str, Any]:
    """Describe files, and hash the public part of each leaf's key."""
    files = {path: describe(path) for path in request["files"]}
    return {"files": files, "keys": {path: public_hash(path) for path in request["keys"]}}


def requests(request: dict[str, Any]) -> dict[str, Any]:
    """Make a certificate request for each leaf, and a key if a usable one is missing."""
    out = {}
    for leaf in request["leaves"]:
        if not public_hash(leaf["key"]):
            disk.write(leaf["key"], openssl(*CURVE), 0o600, leaf["owner"])
        else:
            os.chmod(leaf["key"], 0o600)
            os.chown(leaf["key"], *disk.ids(leaf["owner"]))
        out[leaf["name"]] = openssl("req", "-new", "-key", leaf["key"], "-subj", "/CN=request").decode("ascii")
    return {"requests": out}


def install(request: dict[str, Any]) -> dict[str, Any]:
    """Write files; the answer lists their paths."""
    for item in request["files"]:
        disk.write(item["path"], base64.b64decode(item["content"]), item["mode"], item["owner"])
    return {"written": [item["path"] for item in request["files"]]}


def fetch(request: dict[str, Any]) -> dict[str, Any]:
    """The content of existing files in base64."""
    out = {}
    for path in request["files"]:
        try:
            with open(path, "rb") as file:
                out[path] = base64.b64encode(file.read()).decode("ascii")
        except FileNotFoundError:
            continue
    return {"files": out}


OPERATIONS = {"observe": observe, "requests": requests, "install": install, "fetch": fetch}
