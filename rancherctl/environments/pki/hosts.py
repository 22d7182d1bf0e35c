"""Access to a host's certificates: observe them, have requests made, write files, fetch shared files."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from rancherctl.environments.model import Environment
from rancherctl.environments.pki.leaves import Leaf
from rancherctl.environments.pki.wanted import CertificateFolder, ObservedFile, paths
from rancherctl.hosts import remote_call
from rancherctl.hosts.command import Secret
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport

TIMEOUT = 120.0
"""Seconds for one operation."""


def call(transport: Transport, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run one operation of ``pki.remote`` on a host."""
    return remote_call.call(transport, request, module="rancherctl.environments.pki.remote", timeout=TIMEOUT)


def observe(transport: Transport, environment: Environment, host: Host) -> CertificateFolder:
    """The host's certificates, keys and shared files."""
    files, keys = paths(environment, host)
    return observe_paths(transport, files, keys)


def observe_paths(transport: Transport, files: Iterable[str], keys: Iterable[str] = ()) -> CertificateFolder:
    """The files and keys that a host has at these paths."""
    answer = call(transport, {"op": "observe", "files": list(files), "keys": list(keys)})
    found = {
        path: ObservedFile(f["sha256"], f["mode"], f["owner"], f.get("text", "")) if f else None
        for path, f in answer["files"].items()
    }
    return CertificateFolder(found, answer["keys"])


def requests(transport: Transport, leaves: Iterable[Leaf]) -> dict[str, str]:
    """A certificate request for each leaf, by name; the host makes missing keys."""
    wanted = [{"name": leaf.name, "key": leaf.key, "owner": leaf.owner} for leaf in leaves]
    answer: dict[str, str] = call(transport, {"op": "requests", "leaves": wanted})["requests"]
    return answer


def install(transport: Transport, files: Iterable[tuple[str, str, int, str]]) -> None:
    """Write files (path, text, mode, owner) on the host; contents are sent on standard input only."""
    items = [
        {"path": p, "content": base64.b64encode(text.encode()).decode(), "mode": mode, "owner": owner}
        for p, text, mode, owner in files
    ]
    if items:
        call(transport, {"op": "install", "files": items})


def fetch(transport: Transport, wanted: Iterable[str]) -> dict[str, Secret]:
    """Fetch the content of files of a control-plane host into memory, without missing ones."""
    answer = call(transport, {"op": "fetch", "files": list(wanted)})["files"]
    return {path: Secret(base64.b64decode(content).decode()) for path, content in answer.items()}
