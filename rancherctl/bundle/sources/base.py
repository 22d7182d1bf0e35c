"""What sources share: the value they return, the check of a binary's architecture, the right order of the work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rancherctl.bundle.pause.elf import elf_machine
from rancherctl.bundle.versions import BINARIES, Versions
from rancherctl.errors import RancherctlError


@dataclass(frozen=True, slots=True)
class Found:
    """One binary that a source has: ``file`` is where it is now; it is read, never moved or changed."""

    component: str
    version: str
    name: str
    file: Path


def wanted(versions: Versions) -> Iterator[tuple[str, str, str]]:
    """Every ``(component, version, name)`` that a bundle of these versions needs."""
    for component, names in BINARIES.items():
        for name in names:
            yield component, versions.of(component), name


def arch_problem(file: Path, arch: str) -> str | None:
    """Why ``file`` cannot run on ``arch``, or None when it can."""
    with file.open("rb") as handle:
        machine = elf_machine(handle.read(20))
    if machine == arch:
        return None
    return f"{file.name} is built for {machine}, not {arch}" if machine else f"{file.name} is no program for {arch} Linux"


def check_arch_of(files: list[Path], arch: str, *, where: str) -> None:
    """Raise one RancherctlError that names every file of ``files`` that is not for ``arch``."""
    problems = [p for p in (arch_problem(file, arch) for file in files) if p]
    if problems:
        raise RancherctlError(f"{where} has the wrong programs", why="; ".join(problems), hint=f"give files for linux/{arch}, or choose --arch")
