"""Resolve the bundle of a run: a directory, or a source that builds it in the cache. Never guessed."""

from __future__ import annotations

from pathlib import Path

from rancherctl.bundle.create import MODULES, OFFICIAL, BundleRequest, create
from rancherctl.bundle.model import Bundle
from rancherctl.bundle.verify import check
from rancherctl.bundle.versions import versions_for
from rancherctl.errors import UsageError
from rancherctl.events import Emit


def resolve(choice: str, kubernetes: str, cache: Path, emit: Emit, *, arch: str = "amd64") -> Bundle:
    """The bundle for ``kubernetes``: ``choice`` is ``official``, ``modules`` or the directory of a bundle.

    A directory's files are checked by size and mode only; hosts check their contents. UsageError when
    nothing is chosen or the bundle is for another version or architecture, and what making or reading it raises.
    """
    wanted = versions_for(kubernetes).kubernetes
    if not choice:
        raise UsageError(
            "no bundle is chosen",
            why="the programs for the hosts come from official releases, from pinned Go modules or from a directory",
            hint="say --bundle official, --bundle modules or --bundle DIR (or set RANCHERCTL_BUNDLE)",
        )
    if choice in {OFFICIAL, MODULES}:
        return create(BundleRequest(wanted, choice, arch), cache, emit)
    bundle = check(Path(choice).expanduser(), contents=False)
    have = bundle.manifest
    if (have.kubernetes, have.arch) != (wanted, arch):
        raise UsageError(
            f"the bundle {choice} is for Kubernetes {have.kubernetes} on {have.arch}",
            why=f"the environment wants {wanted} on {arch}",
            hint=f"rancherctl bundle create --kubernetes {wanted} --arch {arch} --source official --dir DIR",
        )
    return bundle
