"""What sources share: the value they return, the check of a binary's architecture, the right order of the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rancherctl.bundle.files import sha256_of
from rancherctl.bundle.pause.elf import elf_machine
from rancherctl.bundle.versions import BINARIES, Versions
from rancherctl.errors import RancherctlError
from rancherctl.files import replace as replace_file


@dataclass(frozen=True, slots=True)
class CollectedFile:
    """One binary that a source has: ``file`` is where it is now; it is read, never moved or changed.

    ``sha256`` is what the cache recorded when the file came into it, empty for the user's own files.
    """

    component: str
    version: str
    name: str
    file: Path
    sha256: str = ""


def wanted(versions: Versions) -> Iterator[tuple[str, str, str]]:
    """Every ``(component, version, name)`` that a bundle of these versions needs."""
    for component, names in BINARIES.items():
        for name in names:
            yield component, versions.of(component), name


SUMS: Final = "SHA256SUMS"


def record(folder: Path, names: Iterable[str]) -> None:
    """Write down the checksums of files that have just come into the cache, so that later damage is noticed."""
    replace_file(
        folder / SUMS,
        "".join(f"{sha256_of(folder / name)}  {name}\n" for name in names).encode(),
        mode=0o644,
        folders=0o755,
    )


def recorded(component: str, version: str, folder: Path, names: Iterable[str]) -> list[CollectedFile]:
    """The files of ``folder`` with their recorded checksums; none if one is missing: then all must be made."""
    try:
        lines = (folder / SUMS).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = [CollectedFile(component, version, name, folder / name, sums.get(name, "")) for name in names]
    return found if all(f.sha256 and f.file.is_file() for f in found) else []


def arch_problem(file: Path, arch: str) -> str | None:
    """Why ``file`` cannot run on ``arch``, or None when it can."""
    with file.open("rb") as handle:
        machine = elf_machine(handle.read(20))
    if machine == arch:
        return None
    return (
        f"{file.name} is built for {machine}, not {arch}"
        if machine
        else f"{file.name} is not a program for {arch} Linux"
    )


def check_arch_of(files: list[Path], arch: str, *, where: str) -> None:
    """Raise one RancherctlError that names every file of ``files`` that is not for ``arch``."""
    problems = [p for p in (arch_problem(file, arch) for file in files) if p]
    if problems:
        raise RancherctlError(
            f"{where} has the wrong programs",
            why="; ".join(problems),
            hint=f"give files for linux/{arch}, or choose --arch",
        )
