"""Which files of a bundle a host with given roles needs, and their paths there. Pure: paths and checksums only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rancherctl.bundle.model import Bundle, BundleFile
from rancherctl.contract import PROGRAMS

ROOT: Final = PROGRAMS
CNI_BIN: Final = "/opt/cni/bin"
IMAGES: Final = f"{ROOT}/images"

ETCD: Final = "etcd"
CONTROL_PLANE: Final = "controlplane"

_ROLE_OF: Final[dict[str, str]] = {
    "etcd": ETCD,
    "etcdctl": ETCD,
    "etcdutl": ETCD,
    "kube-apiserver": CONTROL_PLANE,
    "kube-controller-manager": CONTROL_PLANE,
    "kube-scheduler": CONTROL_PLANE,
    "kubectl": CONTROL_PLANE,
}
"""Binaries that only hosts with a role need; everything else goes everywhere, because every host is a Node."""


@dataclass(frozen=True, slots=True)
class HostArtefact:
    """One file for a host: ``local`` on the operator's machine, ``remote`` its absolute path on the host.

    ``copies`` are further absolute paths where the host keeps a copy (made there, not uploaded again): CNI plug-ins
    are looked up in /opt/cni/bin, which other add-ons mount and write into, so a link out of it would dangle for them.
    ``reference`` is an image's name, to be imported once; empty for binaries.
    """

    local: Path
    remote: str
    sha256: str
    size: int
    mode: int
    component: str
    version: str
    copies: tuple[str, ...] = ()
    reference: str = ""


def host_artefacts(
    bundle: Bundle, roles: frozenset[str], *, images: Iterable[str] | None = None
) -> tuple[HostArtefact, ...]:
    """The files of ``bundle`` for a host with ``roles`` (``etcd``, ``controlplane``, ``worker``), largest first.

    ``images`` limits the image archives to these references (default: all of the bundle). Largest first keeps the last
    upload of a pipelined batch short.
    """
    wanted = None if images is None else frozenset(images)
    chosen = [a for a in bundle.manifest.artefacts if _needed(a, roles, wanted)]
    chosen.sort(key=lambda a: (-a.size, a.path))
    return tuple(_placed(bundle, a) for a in chosen)


def binary_dir(component: str, version: str) -> str:
    """The directory of a component's binaries on a host."""
    return f"{ROOT}/{component}/{version}/bin"


def _needed(artefact: BundleFile, roles: frozenset[str], images: frozenset[str] | None) -> bool:
    if artefact.kind == "image":
        return images is None or artefact.reference in images
    role = _ROLE_OF.get(artefact.name)
    return artefact.kind == "binary" and (role is None or role in roles)


def _placed(bundle: Bundle, artefact: BundleFile) -> HostArtefact:
    if artefact.kind == "image":
        remote = f"{IMAGES}/{artefact.name}-{artefact.version}.tar"
    else:
        remote = f"{binary_dir(artefact.component, artefact.version)}/{artefact.name}"
    return HostArtefact(
        local=bundle.file(artefact),
        remote=remote,
        sha256=artefact.sha256,
        size=artefact.size,
        mode=artefact.mode,
        component=artefact.component,
        version=artefact.version,
        copies=(f"{CNI_BIN}/{artefact.name}",) if artefact.component == "cni" else (),
        reference=artefact.reference,
    )
