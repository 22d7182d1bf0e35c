"""Which kubectl runs: the one on PATH, else one that came with a bundle on this machine."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from rancherctl.cli.context import Run
from rancherctl.errors import NotFoundError, RancherctlError

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
ELSEWHERE = "https://kubernetes.io/docs/tasks/tools, or put it anywhere on PATH; bundles have one, too: rancherctl bundle create"


def find(run: Run, environment: str) -> str:
    """The path of the program for an environment. NotFoundError where there is none."""
    found = shutil.which("kubectl") or next(_of_bundles(run, environment), "")
    if not found:
        raise NotFoundError("kubectl is not installed here", hint=ELSEWHERE)
    return found


def _of_bundles(run: Run, environment: str) -> Iterator[str]:
    """Those that can run here: of the bundle that the environment was made from, of its version in the cache, of any other, newest first."""
    from rancherctl.bundle.verify import load

    known, settings, wanted = run.known(), run.settings, _wanted(run, environment)
    folders = [Path(known.bundle(environment)), *((settings.cache or settings.dirs.cache) / "bundles").glob("*")]
    offers: list[tuple[bool, bool, list[int], Path]] = []
    for folder in folders:
        if not folder.is_absolute():  # a word (official), and never what lies in the folder where somebody stands
            continue
        try:
            bundle = load(folder)
        except RancherctlError:  # half made, or damaged: `bundle verify` tells
            continue
        if bundle.manifest.arch != _MACHINES.get(platform.machine(), platform.machine()):
            continue
        for artefact in bundle.manifest.artefacts:
            path = bundle.file(artefact)
            if artefact.name == "kubectl" and os.access(path, os.X_OK):
                numbers = [int(part) for part in artefact.version.split(".") if part.isdecimal()]
                offers.append((folder == folders[0], artefact.version == wanted, numbers, path))
    yield from (str(path) for *_, path in sorted(offers, reverse=True))


def _wanted(run: Run, environment: str) -> str:
    try:
        return run.known().read(environment).kubernetes
    except RancherctlError:  # the file is damaged: any version is better than none
        return ""
