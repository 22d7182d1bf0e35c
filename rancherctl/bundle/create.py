"""Create a bundle: collect binaries from the chosen source, add images, write the manifest, publish it atomically."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rancherctl.bundle import images
from rancherctl.bundle.distribution import collect as distribution
from rancherctl.bundle.distribution.systems import choices
from rancherctl.bundle.files import place, sha256_of
from rancherctl.bundle.model import MANIFEST, Bundle, BundleFile, manifest
from rancherctl.bundle.pause.elf import elf_machine, elf_static
from rancherctl.bundle.sources import directory, modules, official
from rancherctl.bundle.sources.base import CollectedFile
from rancherctl.bundle.sources.releases import Bases
from rancherctl.bundle.staging import staging
from rancherctl.bundle.verify import findings, load
from rancherctl.bundle.versions import Versions, check_arch, versions_for
from rancherctl.errors import ConflictError, InvalidInputError, NotFoundError, RancherctlError, UsageError
from rancherctl.events import Emit, Event
from rancherctl.files import replace as replace_file

OFFICIAL: Final = "official"
MODULES: Final = "modules"
PHASE: Final = "bundle"
_CACHED: Final = (OFFICIAL, MODULES)
"""Sources whose files are the cache's own."""


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """What to make: ``source`` is ``official``, ``modules`` or a directory's path; ``output`` None = the cache.

    ``testweb`` adds the image of the samples and tests, which takes Go; ``busybox`` is a static busybox to put into it;
    ``mirror`` is a URL above the official releases, see ``releases.Bases.below``. ``packages`` are ``SYSTEM`` or
    ``SYSTEM=DIR``,
    ``apt_mirror`` is where apt takes them from instead of the machine's own mirrors.
    """

    kubernetes: str
    source: str
    arch: str = "amd64"
    output: Path | None = None
    testweb: bool = False
    busybox: Path | None = None
    mirror: str = ""
    packages: tuple[str, ...] = ()
    apt_mirror: str = ""


def create(request: BundleRequest, cache: Path, emit: Emit) -> Bundle:
    """Make the bundle, or find it made. Files are linked with the cache where that is possible.

    Raises UsageError for an unknown version, ConflictError if ``output`` is not a bundle, and errors of the source.
    """
    versions, arch = versions_for(request.kubernetes), check_arch(request.arch)
    _refuse_early(request)
    parent = request.output.absolute().parent if request.output else cache / "bundles"
    try:
        found = _collect(request, versions, arch, cache, emit)
        with staging(parent) as folder:
            bundle = _fill(folder, request, found, _images(request, versions, cache, emit), emit)
            target = request.output.absolute() if request.output else parent / bundle.manifest.digest()[:16]
            return _publish(bundle, target, emit)
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = "is there room, and may it be read and written? Run it again: what was fetched or built is kept"
        raise RancherctlError("the bundle cannot be made", why=str(error), hint=hint) from error


def _refuse_early(request: BundleRequest) -> None:
    """What would fail at the end, after minutes of fetching or building, fails at once."""
    choices(request.packages)
    target = request.output
    if (
        target is not None
        and target.exists()
        and not (target / MANIFEST).exists()
        and (not target.is_dir() or any(target.iterdir()))
    ):
        raise ConflictError(
            f"{target} exists and is not this bundle",
            why="it is not a bundle",
            hint=f"remove {target}, or give another --dir",
        )
    if request.busybox is not None:
        _refuse_busybox(request.busybox, request.arch)
    if request.testweb:
        modules.find_go("--testweb compiles the test web server", "install Go 1.19 or newer, or leave --testweb out")


def _refuse_busybox(file: Path, arch: str) -> None:
    hint = "give a static one, as in Debian's package busybox-static"
    if not file.is_file():
        raise NotFoundError(f"--busybox: no file {file}", hint=hint)
    data = file.read_bytes()
    if elf_machine(data[:20]) != arch or not elf_static(data):
        raise UsageError(
            f"--busybox: {file} cannot run alone in an image", why=f"it is not a static program for {arch}", hint=hint
        )


def _collect(
    request: BundleRequest, versions: Versions, arch: str, cache: Path, emit: Emit
) -> tuple[CollectedFile, ...]:
    if request.source == OFFICIAL:
        bases = Bases.below(request.mirror) if request.mirror else Bases()
        return official.collect(versions, arch, cache, emit, bases=bases)
    if request.source == MODULES:
        return modules.collect(versions, arch, cache, emit)
    return directory.collect(versions, arch, Path(request.source).expanduser())


def _fill(
    root: Path, request: BundleRequest, found: tuple[CollectedFile, ...], extra: Iterable[images.Image], emit: Emit
) -> Bundle:
    artefacts = []
    for item in found:
        template = BundleFile(item.component, item.version, item.name, "", 0, 0o755, "binary", request.arch)
        place(item.file, root / template.path, template.mode, link=request.source in _CACHED)
        artefacts.append(_intact(_measured(root, template), item))
    for image in extra:
        name, _, tag = image.reference.rpartition("/")[2].partition(":")
        template = BundleFile("images", tag, name, "", 0, 0o644, "image", request.arch, image.reference)
        (root / template.path).parent.mkdir(parents=True, exist_ok=True)
        images.write_archive(image, root / template.path)
        (root / template.path).chmod(template.mode)
        artefacts.append(_measured(root, template))
    for choice in choices(request.packages):
        artefacts += [
            _measured(root, a) for a in distribution.packages(choice, request.arch, request.apt_mirror, root, emit)
        ]
    source = request.source if request.source in _CACHED else "directory"
    listed = manifest(versions_for(request.kubernetes).kubernetes, request.arch, source, artefacts)
    replace_file(root / MANIFEST, listed.to_json().encode(), mode=0o644, folders=0o755)
    return Bundle(root, listed)


def _intact(artefact: BundleFile, item: CollectedFile) -> BundleFile:
    if item.sha256 and item.sha256 != artefact.sha256:
        why = f"sha256 is {artefact.sha256}, recorded was {item.sha256}"
        raise RancherctlError(
            f"{item.file} was changed after it came into the cache",
            why=why,
            hint=f"remove {item.file.parent} and run it again",
        )
    return artefact


def _measured(root: Path, artefact: BundleFile) -> BundleFile:
    file = root / artefact.path
    return replace(artefact, sha256=sha256_of(file), size=file.stat().st_size)


def _images(request: BundleRequest, versions: Versions, cache: Path, emit: Emit) -> Iterator[images.Image]:
    yield images.pause_image(versions, request.arch)
    if request.testweb:
        program = modules.build_testweb(request.arch, cache, emit)
        yield images.testweb_image(request.arch, program, request.busybox)


def _publish(bundle: Bundle, target: Path, emit: Emit) -> Bundle:
    """Rename the staging directory to ``target``; an equal bundle there stays, if its files are as they should be."""
    bundle.root.chmod(0o755)
    try:
        os.rename(bundle.root, target)  # noqa: PTH104 - Path.rename says nothing of an empty directory in the way; this replaces it
    except OSError as error:
        there = _equal_at(target, bundle)
        if there is None:
            raise ConflictError(
                f"{target} exists and is not this bundle, or damaged",
                why=str(error),
                hint=f"remove {target}, or give another --dir",
            ) from error
        emit(Event(PHASE, f"{target} was there already", state="done"))
        return there
    emit(Event(PHASE, f"{target}, {bundle.manifest.size() >> 20} MiB", state="done"))
    return Bundle(target, bundle.manifest)


def _equal_at(target: Path, bundle: Bundle) -> Bundle | None:
    try:
        there = load(target)
    except (NotFoundError, InvalidInputError):
        return None
    if there.manifest.digest() != bundle.manifest.digest() or findings(there, contents=False):
        return None
    return there if all(_same(bundle.file(a), there.file(a), a.sha256) for a in bundle.manifest.artefacts) else None


def _same(new: Path, there: Path, sha256: str) -> bool:
    """Links to one file need no second look at its contents."""
    return new.samefile(there) or sha256_of(there) == sha256
