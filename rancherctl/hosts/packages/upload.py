"""Upload the .debs of planned packages to a host, except those that an earlier run has already uploaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from rancherctl.contract import DATA
from rancherctl.hosts.model import Artefact, Deb
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport

FOLDER: Final = f"{DATA}/packages"
"""Where they are stored until they are installed; removed afterwards."""
OBSERVE_LIMIT: Final = 120.0


def upload_debs(transport: Transport, debs: Iterable[Deb], upload: Callable[[Artefact], None]) -> dict[str, Any]:
    """Call ``upload`` for each missing file.

    Returns ``{"folder", "debs": [{"path", "sha256"}]}`` for ``hosts.remote.apply``.

    The host checks every hash again before it installs anything.
    """
    files = [Artefact(f"{FOLDER}/{deb.file}", deb.source, deb.sha256, deb.size, 0o644) for deb in debs]
    request = {"op": "observe", "paths": {file.path: {"size": file.size} for file in files}}
    seen = call(transport, request, timeout=OBSERVE_LIMIT)["paths"]
    for file in files:
        if seen.get(file.path, {}).get("sha256") != file.sha256:
            upload(file)
    return {"folder": FOLDER, "debs": [{"path": file.path, "sha256": file.sha256} for file in files]}
