"""``rancherctl bundle``: create and verify what is installed on hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import OutputOption
from rancherctl.output.results import Column, Listing, Record
from rancherctl.text import plural

app = noun(
    "Create and verify bundles: the programs and images that environments install.",
    "rancherctl bundle create --source official --dir ./bundle",
    "rancherctl bundle verify ./bundle",
)


def _path(text: str | Path) -> Path:
    """The path with ``~`` expanded: shells do not expand it in ``--dir=~/x``."""
    return Path(text).expanduser()


KubernetesOption = Annotated[
    str,
    typer.Option("--kubernetes", metavar="VERSION", help="Kubernetes version. (default: the recommended one)"),
]
SourceOption = Annotated[
    str,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Where programs come from: official (releases), modules (built with Go) or a directory.",
    ),
]
ArchOption = Annotated[str, typer.Option("--arch", metavar="ARCH", help="Architecture: amd64 or arm64.")]
DirOption = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", parser=_path, help="Directory of the bundle. (default: in the cache)"),
]
MirrorOption = Annotated[
    str,
    typer.Option(
        "--mirror",
        metavar="URL",
        help="Mirror of the official releases: URL/kubernetes, URL/etcd, URL/containerd, URL/cni.",
    ),
]
TestwebOption = Annotated[
    bool, typer.Option("--testweb", help="Add the test web server image that the samples use; requires Go.")
]
PackagesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--packages",
        metavar="SYSTEM",
        help="Add the packages that hosts of this system need, from apt or from SYSTEM=DIR; may be repeated. "
        "Hosts then need no package mirror.",
    ),
]
AptMirrorOption = Annotated[
    str,
    typer.Option(
        "--apt-mirror",
        metavar="URL",
        help="Debian archive for --packages (and URL-security). (default: this machine's mirrors)",
    ),
]
BusyboxOption = Annotated[
    Path | None,
    typer.Option("--busybox", metavar="FILE", parser=_path, help="Static busybox to add to the test image."),
]


@app.command("create")
def create(
    source: SourceOption,
    kubernetes: KubernetesOption = "",
    arch: ArchOption = "amd64",
    folder: DirOption = None,
    mirror: MirrorOption = "",
    testweb: TestwebOption = False,
    busybox: BusyboxOption = None,
    packages: PackagesOption = None,
    apt_mirror: AptMirrorOption = "",
    output: OutputOption = None,
) -> None:
    """Create a bundle; does nothing if it is already complete.

    \b
    Examples:
      rancherctl bundle create --source official --dir ./bundle
      rancherctl bundle create --source modules --kubernetes 1.36.3
      rancherctl bundle create --source official --packages debian13 --dir ./bundle
      rancherctl bundle create --source official --mirror https://mirror.example/releases
    """
    from rancherctl.bundle.create import BundleRequest
    from rancherctl.bundle.create import create as make
    from rancherctl.bundle.versions import DEFAULT

    run = current(output=output)
    request = BundleRequest(
        kubernetes or DEFAULT,
        str(_path(source)),
        arch,
        folder,
        testweb,
        busybox,
        mirror,
        tuple(packages or ()),
        apt_mirror,
    )
    with run.progress() as emit:
        bundle = make(request, run.settings.cache or run.settings.dirs.cache, emit)
    item = {"path": str(bundle.root), **bundle.manifest.summary()}
    run.show(Record("Bundle", item, name=str(bundle.root)))
    run.next(f"rancherctl bundle verify {bundle.root}")


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", parser=_path, help="Directory of the bundle.")],
    output: OutputOption = None,
) -> None:
    """Verify that a bundle contains exactly the files of its manifest, with the right checksum, mode and architecture.

    \b
    Examples:
      rancherctl bundle verify ./bundle
      rancherctl bundle verify ./bundle -o json
    """
    from rancherctl.bundle.verify import check

    run = current(output=output)
    bundle = check(folder)
    run.show(Record("Bundle", {"path": str(bundle.root), **bundle.manifest.summary()}, name=str(bundle.root)))
    run.say(f"verified {plural(len(bundle.manifest.artefacts), 'file')}")


@app.command("versions")
def versions(output: OutputOption = None) -> None:
    """List the Kubernetes versions that can be installed, with the versions of their components.

    \b
    Examples:
      rancherctl bundle versions
      rancherctl bundle versions -o json
    """
    from dataclasses import asdict

    from rancherctl.bundle.versions import DEFAULT, TABLE, known

    items = [{**asdict(TABLE[version]), "default": version == DEFAULT} for version in known()]
    names = ("kubernetes", "etcd", "containerd", "cni", "pause", "runc", "default")
    columns = tuple(Column(name.upper(), name) for name in names)
    current(output=output).show(Listing("BundleVersion", items, columns, name="kubernetes"))
