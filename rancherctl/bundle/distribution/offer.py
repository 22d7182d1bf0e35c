"""What a bundle offers to hosts of a system: its index, and the .debs by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rancherctl.bundle.distribution.index import parse
from rancherctl.bundle.files import sha256_of
from rancherctl.bundle.model import INDEX, PACKAGES, Bundle, Manifest
from rancherctl.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class OfferedDeb:
    """One .deb: ``file`` is its plain name, ``local`` where it is on the operator's machine, ``size`` in bytes."""

    name: str
    version: str
    file: str
    local: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The packages for one system: ``index`` is text for apt, ``debs`` by package name."""

    system: str
    index: str
    debs: Mapping[str, OfferedDeb]


def systems(manifest: Manifest) -> frozenset[str]:
    """The systems that there are packages for. Pure."""
    return frozenset(a.version for a in manifest.artefacts if a.kind == "index")


def offers(bundle: Bundle) -> dict[str, Offer]:
    """All packages of the bundle, by system. InvalidInputError if an index does not match the manifest."""
    return {
        a.version: _offer(bundle, a.version, bundle.file(a), a.sha256)
        for a in bundle.manifest.artefacts
        if a.kind == "index"
    }


def _offer(bundle: Bundle, system: str, index: Path, sha256: str) -> Offer:
    try:
        text = _checked(index, sha256)
        entries = {entry.file: entry for entry in parse(text)}
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"the bundle {bundle.root} is damaged", [f"{PACKAGES}/{system}/{INDEX}: {error}"], hint="make it again"
        ) from error
    debs = {}
    for artefact in bundle.manifest.artefacts:
        if artefact.kind == "package" and artefact.version == system and artefact.name in entries:
            entry = entries[artefact.name]
            debs[entry.name] = OfferedDeb(
                entry.name, entry.version, artefact.name, bundle.file(artefact), artefact.sha256, artefact.size
            )
    return Offer(system, text, debs)


def _checked(index: Path, sha256: str) -> str:
    if sha256_of(index) != sha256:
        raise ValueError("its sha256 is not the manifest's")
    return index.read_text("utf-8")
