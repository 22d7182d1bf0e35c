"""Reading a bundle, and checking it: every finding at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rancherctl.bundle.files import sha256_of
from rancherctl.bundle.model import MANIFEST, Bundle, BundleFile, parse_manifest
from rancherctl.bundle.sources.base import arch_problem
from rancherctl.errors import InvalidInputError, NotFoundError


def load(folder: Path) -> Bundle:
    """The bundle in ``folder`` by its manifest; files are not looked at. Raises NotFoundError, InvalidInputError."""
    file = folder / MANIFEST
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        hint = "make one with rancherctl bundle create --dir DIR"
        raise NotFoundError(f"{folder} is not a bundle", why=f"it has no {MANIFEST}", hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read", [str(error)]) from error
    return Bundle(folder, parse_manifest(text, where=str(file)))


def findings(bundle: Bundle, *, contents: bool = True) -> tuple[str, ...]:
    """All problems of the files of ``bundle``, one line each; ``contents=False`` checks sizes and modes only."""
    listed = [line for artefact in bundle.manifest.artefacts for line in _of(bundle, artefact, contents)]
    return (*listed, *_unlisted(bundle))


def check(folder: Path, *, contents: bool = True) -> Bundle:
    """The bundle in ``folder`` when it is sound. Raises InvalidInputError with every finding."""
    bundle = load(folder)
    problems = findings(bundle, contents=contents)
    if problems:
        raise InvalidInputError(
            f"the bundle {folder} is damaged", problems, hint="make it again with rancherctl bundle create"
        )
    return bundle


def _of(bundle: Bundle, artefact: BundleFile, contents: bool) -> Iterator[str]:
    file = bundle.file(artefact)
    if file.is_symlink() or not file.is_file():
        yield f"{artefact.path}: {'is not a regular file' if file.is_symlink() or file.exists() else 'missing'}"
        return
    stat = file.stat()
    if stat.st_mode & 0o777 != artefact.mode:
        yield f"{artefact.path}: mode is {stat.st_mode & 0o777:04o}, not {artefact.mode:04o}"
    if stat.st_size != artefact.size:
        yield f"{artefact.path}: {stat.st_size} bytes, not {artefact.size}"
        return
    if not contents:
        return
    digest = sha256_of(file)
    if digest != artefact.sha256:
        yield f"{artefact.path}: sha256 is {digest}, not {artefact.sha256}"
    elif artefact.kind == "binary" and (problem := arch_problem(file, artefact.arch)):
        yield f"{artefact.path}: {problem}"


def _unlisted(bundle: Bundle) -> list[str]:
    known = {MANIFEST, *(a.path for a in bundle.manifest.artefacts)}
    there = (f.relative_to(bundle.root).as_posix() for f in bundle.root.rglob("*") if f.is_symlink() or not f.is_dir())
    return [f"{path}: not in the manifest" for path in sorted(there) if path not in known]
