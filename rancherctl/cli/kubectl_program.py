"""Which kubectl runs: the one on PATH, else one from a bundle on this machine."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rancherctl.cli.context import CommandRun
from rancherctl.errors import NotFoundError, RancherctlError

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
INSTALL_HINT: Final = (
    "install it (https://kubernetes.io/docs/tasks/tools), or create a bundle, which has one: rancherctl bundle create"
)


def find_kubectl(run: CommandRun, environment: str) -> str:
    """Path of the kubectl to use for an environment. NotFoundError if there is none."""
    found = shutil.which("kubectl") or next(_from_bundles(run, environment), "")
    if not found:
        raise NotFoundError("kubectl is not installed", hint=INSTALL_HINT)
    return found


def _from_bundles(run: CommandRun, environment: str) -> Iterator[str]:
    """Programs for this machine: from the environment's bundle, then of its version, then any other, newest first."""
    from rancherctl.bundle.verify import load

    known, settings, wanted = run.known(), run.settings, _version(run, environment)
    folders = [Path(known.bundle(environment)), *((settings.cache or settings.dirs.cache) / "bundles").glob("*")]
    found: list[tuple[bool, bool, list[int], Path]] = []
    for folder in folders:
        if not folder.is_absolute():  # the name of a source, such as official
            continue
        try:
            bundle = load(folder)
        except RancherctlError:  # incomplete or damaged, which `bundle verify` reports
            continue
        if bundle.manifest.arch != _ARCHITECTURES.get(platform.machine(), platform.machine()):
            continue
        for artefact in bundle.manifest.artefacts:
            path = bundle.file(artefact)
            if artefact.name == "kubectl" and os.access(path, os.X_OK):
                numbers = [int(part) for part in artefact.version.split(".") if part.isdecimal()]
                found.append((folder == folders[0], artefact.version == wanted, numbers, path))
    yield from (str(path) for *_, path in sorted(found, reverse=True))


def _version(run: CommandRun, environment: str) -> str:
    try:
        return run.known().read(environment).kubernetes
    except RancherctlError:  # the file is damaged: any version is better than none
        return ""
