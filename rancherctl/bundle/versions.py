"""The one version table: a Kubernetes version and the etcd, containerd, CNI plug-ins and pause image that fit it.

runc is the distribution's. Kubernetes 1.36 wants containerd 2; etcd is what kubeadm of that Kubernetes takes, or newer
within the same minor.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from rancherctl.errors import UsageError

DEFAULT: Final = "1.36.3"


@dataclass(frozen=True, slots=True)
class Versions:
    """Compatible versions, without a leading ``v``; ``runc`` is the minimum version of the distribution's package."""

    kubernetes: str
    etcd: str = "3.6.8"
    containerd: str = "2.2.0"
    cni: str = "1.9.1"
    pause: str = "1.0"
    runc: str = "1.1"

    def of(self, component: str) -> str:
        """The version of ``kubernetes``, ``etcd``, ``containerd`` or ``cni``."""
        return {"kubernetes": self.kubernetes, "etcd": self.etcd, "containerd": self.containerd, "cni": self.cni}[
            component
        ]


TABLE: Final[dict[str, Versions]] = {v: Versions(v) for v in ("1.34.4", "1.35.4", "1.36.3", "1.37.2")}

BINARIES: Final[dict[str, tuple[str, ...]]] = {
    "etcd": ("etcd", "etcdctl", "etcdutl"),
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "cni": ("host-local", "loopback", "portmap", "ptp"),
    "kubernetes": ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"),
}
"""Component → the binaries a bundle has of it. The order is the order of fetching: small ones first."""

ARCHITECTURES: Final = ("amd64", "arm64")


def known() -> tuple[str, ...]:
    """All known Kubernetes versions, oldest first."""
    return tuple(sorted(TABLE, key=lambda v: tuple(map(int, v.split(".")))))


def versions_for(kubernetes: str) -> Versions:
    """The row of ``kubernetes`` (a leading ``v`` is fine). UsageError with known versions and the closest one."""
    wanted = kubernetes.strip().removeprefix("v")
    row = TABLE.get(wanted)
    if row is not None:
        return row
    close = _closest(wanted)
    raise UsageError(
        f"unknown Kubernetes version {kubernetes!r}",
        why=f"known are {', '.join(known())}",
        hint=f"did you mean {close}?"
        if close
        else "choose one of them; rancherctl bundle versions lists them with what fits",
    )


def _closest(wanted: str) -> str | None:
    same_minor = [v for v in known() if v.split(".")[:2] == wanted.split(".")[:2]]
    close = same_minor or get_close_matches(wanted, known(), n=1, cutoff=0.7)
    return close[-1] if close else None


def check_arch(arch: str) -> str:
    """``arch`` when it is one that bundles know (Go's names). Raises UsageError."""
    if arch in ARCHITECTURES:
        return arch
    hint = "use Go's names: amd64 for x86_64, arm64 for aarch64"
    raise UsageError(f"unknown architecture {arch!r}", why=f"known are {', '.join(ARCHITECTURES)}", hint=hint)
