"""The ``directory`` source: binaries that the user has already, flat or as a bundle."""

from __future__ import annotations

from pathlib import Path

from rancherctl.bundle.files import sha256_of
from rancherctl.bundle.model import MANIFEST
from rancherctl.bundle.sources.base import SUMS, CollectedFile, check_arch_of, wanted
from rancherctl.bundle.versions import Versions
from rancherctl.errors import InvalidInputError, NotFoundError


def collect(versions: Versions, arch: str, folder: Path) -> tuple[CollectedFile, ...]:
    """The binaries of ``folder``, each as ``NAME`` or ``COMPONENT/VERSION/NAME``; checks a ``SHA256SUMS`` there.

    Raises InvalidInputError with every missing file and every wrong checksum at once.
    """
    if not folder.is_dir():
        raise NotFoundError(
            f"no directory {folder}", hint="--source is official, modules or a directory with the binaries"
        )
    found, problems = [], []
    for component, version, name in wanted(versions):
        file = next((f for f in (folder / component / version / name, folder / name) if f.is_file()), None)
        if file is None:
            problems.append(f"{name} is missing (looked for {name} and {component}/{version}/{name})")
        else:
            found.append(CollectedFile(component, version, name, file))
    problems += _checksum_problems(folder)
    if problems:
        other = f"{folder} is a bundle: is it one of Kubernetes {versions.kubernetes}?"
        hint = other if (folder / MANIFEST).exists() else "add the files and run it again"
        raise InvalidInputError(
            f"{folder} does not have what Kubernetes {versions.kubernetes} needs", problems, hint=hint
        )
    check_arch_of([f.file for f in found], arch, where=str(folder))
    return tuple(found)


def _checksum_problems(folder: Path) -> list[str]:
    sums = folder / SUMS
    if not sums.is_file():
        return []
    problems = []
    for number, line in enumerate(sums.read_text("utf-8", "replace").splitlines(), 1):
        digest, _, name = line.strip().partition(" ")
        file = folder / name.strip().removeprefix("*")
        if not name or len(digest) != 64:
            problems.append(f"{SUMS}:{number}: not a line of sha256sum")
        elif file.is_file() and sha256_of(file) != digest.lower():
            problems.append(f"{file.name} does not have the checksum of {SUMS}:{number}")
    return problems
