"""Bring the .debs of planned packages to a host: what is there already from an earlier run is not sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rancherctl.hosts.model import Artefact, Deb
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport

FOLDER = "/var/lib/rancherctl/packages"
"""Where they lie until they are installed; removed then, and with everything of ours in the end."""
LOOK_LIMIT = 120.0


def upload_debs(transport: Transport, debs: Iterable[Deb], upload: Callable[[Artefact], None]) -> dict[str, Any]:
    """Have ``upload`` send what is not there; the answer is for the host's program: ``{"folder", "debs": [{"path", "sha256"}]}``.

    The host checks every hash itself before it installs anything.
    """
    files = [Artefact(f"{FOLDER}/{deb.file}", deb.source, deb.sha256, deb.size, 0o644) for deb in debs]
    seen = call(
        transport, {"op": "observe", "paths": {file.path: {"size": file.size} for file in files}}, timeout=LOOK_LIMIT
    )["paths"]
    for file in files:
        if seen.get(file.path, {}).get("sha256") != file.sha256:
            upload(file)
    return {"folder": FOLDER, "debs": [{"path": file.path, "sha256": file.sha256} for file in files]}
