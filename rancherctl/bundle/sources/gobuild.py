"""How each component is built from its Go module: flags and names. Pure.

Beside this package, ``modules/COMPONENT/VERSION`` has a go.mod whose ``tool`` lines name the commands, a go.sum with
every module by checksum.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rancherctl.bundle.versions import BINARIES, Versions

MODULES: Final = Path(__file__).parent.parent / "modules"

_RENAMED: Final = {"server": "etcd"}
"""``go build`` names a program by its import path; etcd's is go.etcd.io/etcd/server/v3."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One ``go build`` in ``module``: ``packages`` to build, ``names`` of the resulting files, renamed."""

    component: str
    version: str
    module: Path
    packages: tuple[str, ...]
    names: tuple[str, ...]
    tags: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    def environment(self, arch: str) -> tuple[str, ...]:
        """Settings that override the user's environment, as words for ``env``: static, reproducible programs."""
        return "CGO_ENABLED=0", "GOOS=linux", f"GOARCH={arch}", "GOFLAGS=", "GOWORK=off"

    def command(self, go: str, arch: str, out: Path) -> list[str]:
        """The argv that builds everything into ``out``; run it with the module as working directory."""
        ldflags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables)])
        flags = [
            "-v",
            "-trimpath",
            "-buildvcs=false",
            "-mod=readonly",
            "-tags",
            ",".join(self.tags),
            "-ldflags",
            ldflags,
        ]
        return ["env", *self.environment(arch), go, "build", *flags, "-o", f"{out}/", *self.packages]

    def key(self, arch: str, go_version: str) -> str:
        """Twelve hex digits that change with anything the result depends on."""
        parts: list[bytes] = [f.read_bytes() for f in sorted(self.module.glob("*")) if f.is_file()]
        parts += [go_version.encode(), *(word.encode() for word in self.command("go", arch, Path("out")))]
        return hashlib.sha256(b"\0".join(hashlib.sha256(p).digest() for p in parts)).hexdigest()[:12]

    def fits(self, go_version: str) -> bool:
        """Whether a Go version (``go1.26.8``) is new enough for the module. Other version strings are tried."""
        have = re.search(r"go(\d+)\.(\d+)", go_version)
        asked = re.search(r"^go (\d+)\.(\d+)", (self.module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
        return have is None or asked is None or tuple(map(int, have.groups())) >= tuple(map(int, asked.groups()))

    def final_name(self, built: str) -> str:
        """The name that a built file gets in a bundle."""
        return _RENAMED.get(built, built) if self.component == "etcd" else built


def recipes(versions: Versions) -> tuple[Recipe, ...]:
    """The builds of these versions, in the order of ``versions.BINARIES``."""
    return tuple(_recipe(component, versions.of(component)) for component in BINARIES)


def testweb() -> Recipe:
    """The test web server of the samples and tests."""
    return Recipe("testweb", "1.0", MODULES / "testweb", (".",), ("testweb",))


def _recipe(component: str, version: str) -> Recipe:
    tags: tuple[str, ...] = ()
    if component == "containerd":
        tags = ("no_btrfs", "no_devmapper", "no_zfs")
    variables = tuple(_variables(component, version))
    return Recipe(component, version, MODULES / component / version, ("tool",), BINARIES[component], tags, variables)


def _variables(component: str, version: str) -> Iterable[tuple[str, str]]:
    """What the programs say with ``--version``; a Kubernetes without it would refuse its own clients' version skew."""
    if component == "kubernetes":
        major, minor, _ = version.split(".")
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
            yield from ((f"{package}.{name}", value) for name, value in values.items())
    elif component == "containerd":
        yield "github.com/containerd/containerd/v2/version.Version", f"v{version}"
    elif component == "cni":
        yield "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion", f"v{version}"
