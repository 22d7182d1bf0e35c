"""Addresses and names of official releases. Pure: URLs, members of archives, formats of checksum files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rancherctl.bundle.versions import BINARIES, Versions


@dataclass(frozen=True, slots=True)
class Bases:
    """The addresses that releases are below, without a slash at the end; a mirror of the same layout may stand in."""

    kubernetes: str = "https://dl.k8s.io/release"
    etcd: str = "https://github.com/etcd-io/etcd/releases/download"
    containerd: str = "https://github.com/containerd/containerd/releases/download"
    cni: str = "https://github.com/containernetworking/plugins/releases/download"

    @classmethod
    def below(cls, mirror: str) -> Bases:
        """All four below one address: ``MIRROR/kubernetes``, ``/etcd``, ``/containerd``, ``/cni``."""
        root = mirror.rstrip("/")
        return cls(f"{root}/kubernetes", f"{root}/etcd", f"{root}/containerd", f"{root}/cni")


@dataclass(frozen=True, slots=True)
class Release:
    """One file to fetch: ``checksum_url`` has its sha256; ``members`` maps binaries to archive members."""

    component: str
    version: str
    name: str
    url: str
    checksum_url: str
    members: tuple[tuple[str, str], ...] = ()


def releases(versions: Versions, arch: str, bases: Bases) -> tuple[Release, ...]:
    """Everything to fetch for these versions."""
    etcd = f"etcd-v{versions.etcd}-linux-{arch}"
    etcd_at = f"{bases.etcd}/v{versions.etcd}"
    # The "static" archive: the other one is linked against the C library of its build machine.
    containerd = f"containerd-static-{versions.containerd}-linux-{arch}.tar.gz"
    containerd_at = f"{bases.containerd}/v{versions.containerd}/{containerd}"
    cni = f"cni-plugins-linux-{arch}-v{versions.cni}.tgz"
    cni_at = f"{bases.cni}/v{versions.cni}/{cni}"
    return (
        Release(
            "etcd",
            versions.etcd,
            f"{etcd}.tar.gz",
            f"{etcd_at}/{etcd}.tar.gz",
            f"{etcd_at}/SHA256SUMS",
            _members("etcd", f"{etcd}/"),
        ),
        Release(
            "containerd",
            versions.containerd,
            containerd,
            containerd_at,
            f"{containerd_at}.sha256sum",
            _members("containerd", "bin/"),
        ),
        Release("cni", versions.cni, cni, cni_at, f"{cni_at}.sha256", _members("cni", "")),
        *(_kubernetes(versions.kubernetes, arch, name, bases.kubernetes) for name in BINARIES["kubernetes"]),
    )


def _kubernetes(version: str, arch: str, name: str, base: str) -> Release:
    url = f"{base}/v{version}/bin/linux/{arch}/{name}"
    return Release("kubernetes", version, name, url, f"{url}.sha256")


def _members(component: str, prefix: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{prefix}{name}") for name in BINARIES[component])


_HEX: Final = frozenset("0123456789abcdef")


def parse_checksum(text: str, name: str) -> str | None:
    """The sha256 of ``name`` in a published checksum file, None when it is not there.

    Two shapes: the digest alone (dl.k8s.io), or lines ``DIGEST  NAME`` with an optional folder or ``*`` before NAME.
    """
    for line in text.splitlines():
        digest, _, rest = line.strip().partition(" ")
        listed = rest.strip().removeprefix("*").rpartition("/")[2]
        if len(digest) == 64 and set(digest.lower()) <= _HEX and listed in (name, ""):
            return digest.lower()
    return None
