"""Put the .debs of a system and their index into a bundle's folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rancherctl.bundle.distribution import isolated
from rancherctl.bundle.distribution.control import control
from rancherctl.bundle.distribution.index import Entry, entry, render
from rancherctl.bundle.distribution.systems import NOWHERE_YET, Choice, collecting, too_old
from rancherctl.bundle.files import place, sha256_of
from rancherctl.bundle.model import INDEX, PACKAGES, BundleFile
from rancherctl.errors import InvalidInputError, NotFoundError
from rancherctl.events import Emit, Event
from rancherctl.files import replace as replace_file

PHASE: Final = "packages"
MODE: Final = 0o644


def packages(choice: Choice, arch: str, mirror: str, root: Path, emit: Emit) -> Iterator[BundleFile]:
    """Fill ``root/packages/SYSTEM`` and give its files as artefacts, not yet measured.

    Raises NotFoundError or InvalidInputError (every problem at once) for a directory, and what apt raises.
    """
    emit(Event(PHASE, str(choice.folder or "apt collects them"), choice.system, "started"))
    work = root / ".packages"
    debs = choice.folder or work / "debs"
    try:
        if choice.folder is None:
            debs.mkdir(parents=True)
            (work / "apt").mkdir()
            isolated.collect(choice.system, arch, mirror, work / "apt", debs)
        elif not debs.is_dir():
            raise NotFoundError(
                f"no directory {debs}", hint=f"--packages {choice.system}=DIR names a directory of .debs"
            )
        entries = read(debs, choice.system, arch)
        for file, one in entries.items():
            place(file, root / PACKAGES / choice.system / one.file, MODE, link=choice.folder is None)
            yield BundleFile(PACKAGES, choice.system, one.file, one.sha256, one.size, MODE, "package", arch)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    text = render(entries.values()).encode()
    replace_file(root / PACKAGES / choice.system / INDEX, text, mode=MODE, folders=0o755)
    yield BundleFile(PACKAGES, choice.system, INDEX, "", 0, MODE, "index", arch)
    emit(
        Event(
            PHASE,
            f"{len(entries)} packages, {sum(e.size for e in entries.values()) / 1e6:.1f} MB",
            choice.system,
            "done",
        )
    )


def read(folder: Path, system: str, arch: str) -> dict[Path, Entry]:
    """The .debs of a folder by file name, one per package, complete for ``arch``; InvalidInputError otherwise."""
    found: dict[Path, Entry] = {}
    problems = []
    for file in sorted(folder.glob("*.deb")):
        try:
            one = entry(control(file), sha256_of(file), file.stat().st_size)
        except ValueError as error:
            problems.append(f"{file.name} {error}")
            continue
        if one.architecture not in ("all", arch):
            problems.append(f"{file.name} is for {one.architecture}, the bundle is for {arch}")
        first = next((f.name for f, e in found.items() if e.name == one.name), "")
        if first:
            problems.append(f"{file.name} is package {one.name} like {first}: one version of each")
        problems += filter(None, [too_old(one.name, one.version)])
        found[file] = one
    there = {one.name for one in found.values()}
    problems += [f"{name} is missing" for name in NOWHERE_YET if name not in there]
    if problems:
        raise InvalidInputError(
            f"{folder} does not have the packages for {system}",
            problems,
            hint=f"on a host of that system: {collecting()}",
        )
    return found
