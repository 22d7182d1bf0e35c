"""The values: an artefact, the manifest that lists them, a bundle on disk. Pure; JSON text in and out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, cast

from rancherctl.contract import API_VERSION
from rancherctl.errors import InvalidInputError

MANIFEST: Final = "manifest.json"
PACKAGES: Final = "packages"
"""The component of distribution packages; their version is the system they are for."""
INDEX: Final = "index"
Kind = Literal["binary", "archive", "image", "package", "index"]
KINDS: Final = ("binary", "archive", "image", "package", "index")

_DEB = re.compile(r"[a-z0-9][A-Za-z0-9.+~_-]{0,199}\.deb")
_TOKEN = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9./:_-]{0,255}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class BundleFile:
    """One file. ``size`` in bytes, ``mode`` as in stat (0o755), ``reference``: full image name with tag, else empty."""

    component: str
    version: str
    name: str
    sha256: str
    size: int
    mode: int
    kind: Kind
    arch: str
    reference: str = ""

    @property
    def path(self) -> str:
        """Where the file is inside a bundle, with ``/``."""
        return f"{self.component}/{self.version}/{self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle holds: sorted artefacts for one Kubernetes version and architecture. ``source`` says where from."""

    kubernetes: str
    arch: str
    source: str
    artefacts: tuple[BundleFile, ...]

    def digest(self) -> str:
        """sha256 (64 hex digits) of the files and where they belong; the source does not count."""
        text = json.dumps([self.kubernetes, self.arch, [asdict(a) for a in self.artefacts]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def size(self) -> int:
        """Bytes of all files together."""
        return sum(a.size for a in self.artefacts)

    def of(self, component: str) -> tuple[BundleFile, ...]:
        """The artefacts of one component."""
        return tuple(a for a in self.artefacts if a.component == component)

    def summary(self) -> dict[str, object]:
        """What a person or a script wants to know first; ``size`` in bytes, ``versions`` by component."""
        versions = {a.component: a.version for a in self.artefacts if a.kind in ("binary", "archive")}
        images = [a.reference for a in self.artefacts if a.kind == "image"]
        packages = [a.version for a in self.artefacts if a.kind == "index"]
        head = {"kubernetes": self.kubernetes, "arch": self.arch, "source": self.source, "digest": self.digest()}
        return {
            **head,
            "size": self.size(),
            "files": len(self.artefacts),
            "versions": versions,
            "images": images,
            "packages": packages,
        }

    def to_json(self) -> str:
        """The text of ``manifest.json``: equal manifests give equal bytes."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "Bundle",
            "kubernetes": self.kubernetes,
            "arch": self.arch,
            "source": self.source,
        }
        return (
            json.dumps({**body, "digest": self.digest(), "artefacts": [asdict(a) for a in self.artefacts]}, indent=1)
            + "\n"
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk: its directory and what its manifest says."""

    root: Path
    manifest: Manifest

    def file(self, artefact: BundleFile) -> Path:
        """The file of an artefact."""
        return self.root / artefact.path


def manifest(kubernetes: str, arch: str, source: str, artefacts: Iterable[BundleFile]) -> Manifest:
    """A manifest with its artefacts in order."""
    return Manifest(kubernetes, arch, source, tuple(sorted(artefacts)))


def parse_manifest(text: str, *, where: str) -> Manifest:
    """The manifest in ``text``; ``where`` names its file in messages. InvalidInputError with all problems at once.

    Names become paths on the operator's machine and on hosts, so anything but plain tokens is refused.
    """
    try:
        body: Any = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"{where} is not a bundle manifest", [f"not JSON: {error}"]) from error
    problems = _problems(body)
    if problems:
        raise InvalidInputError(
            f"{where} is not a bundle manifest", problems, hint="make it again with rancherctl bundle create"
        )
    artefacts = (BundleFile(**entry) for entry in body["artefacts"])
    found = manifest(body["kubernetes"], body["arch"], body["source"], artefacts)
    if found.digest() != body["digest"]:
        raise InvalidInputError(
            f"{where} was changed by hand", [f"its digest is {found.digest()}, it says {body['digest']}"]
        )
    return found


def _problems(body: Any) -> list[str]:
    if not isinstance(body, dict) or body.get("kind") != "Bundle":
        return ["no object of kind Bundle"]
    if body.get("apiVersion") != API_VERSION:
        return [f"apiVersion {body.get('apiVersion')!r} is not {API_VERSION}"]
    out = [
        f"{key} is missing or not text"
        for key in ("kubernetes", "arch", "source", "digest")
        if not isinstance(body.get(key), str)
    ]
    entries = body.get("artefacts")
    if not isinstance(entries, list) or not entries:
        return [*out, "artefacts is missing or empty"]
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        wrong = _entry_problem(entry)
        if wrong is None:
            path = BundleFile(**entry).path
            wrong = f"{path} is listed twice" if path in seen else None
            seen.add(path)
        if wrong:
            out.append(f"artefacts[{number}]: {wrong}")
    return out


def _entry_problem(entry: Any) -> str | None:
    names = {f.name for f in fields(BundleFile)}
    if not isinstance(entry, dict) or set(entry) != names:
        return f"needs exactly the keys {', '.join(sorted(names))}"
    item = cast("dict[str, Any]", entry)
    name = _DEB if item["kind"] == "package" else _TOKEN
    for key, pattern in (
        ("component", _TOKEN),
        ("version", _TOKEN),
        ("name", name),
        ("arch", _TOKEN),
        ("sha256", _SHA256),
    ):
        if not isinstance(item[key], str) or not pattern.fullmatch(item[key]):
            return (
                f"{key} {item[key]!r} is not a plain name"
                if key != "sha256"
                else f"sha256 {item[key]!r} is not 64 hex digits"
            )
    if item["kind"] not in KINDS:
        return f"kind {item['kind']!r} is none of {', '.join(KINDS)}"
    if not isinstance(item["reference"], str) or (item["kind"] == "image") != bool(
        _REFERENCE.fullmatch(item["reference"])
    ):
        return f"reference {item['reference']!r}: an image has one, nothing else has"
    numbers = item["size"], item["mode"]
    if any(type(n) is not int or n < 0 for n in numbers) or item["mode"] > 0o777:
        return f"size {item['size']!r} or mode {item['mode']!r} is out of range"
    return None
