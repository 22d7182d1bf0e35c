"""Image archives in the layout of ``docker save``, written with tarfile: import with ``ctr -n k8s.io images import``.

Equal inputs give equal bytes: no times, no owners, files in order.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.versions import Versions
from rancherctl.contract import API_GROUP

REGISTRY: Final = API_GROUP
TESTWEB_VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True)
class Image:
    """An image to be written: ``files`` maps absolute paths to contents (all 0755), ``links`` paths to symlink targets.

    ``reference`` is the full name with tag that pods and containerd use; ``env`` are the container's variables.
    """

    reference: str
    arch: str
    files: Mapping[str, bytes]
    entrypoint: tuple[str, ...]
    links: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = "65535:65535"


def pause_reference(versions: Versions) -> str:
    """The pause image's name: what containerd's ``sandbox`` setting has to say, with no registry behind it."""
    return f"{REGISTRY}/pause:{versions.pause}"


def testweb_reference() -> str:
    """The test web server image's name, for samples and tests."""
    return f"{REGISTRY}/testweb:{TESTWEB_VERSION}"


def pause_image(versions: Versions, arch: str) -> Image:
    """The image of the pods' process 1."""
    return Image(pause_reference(versions), arch, {"/pause": pause_binary(arch)}, ("/pause",))


def testweb_image(arch: str, testweb: Path, busybox: Path | None) -> Image:
    """The test web server of ``modules/testweb``; optionally a static busybox as ``/bin/busybox`` and ``/bin/sh``."""
    files = {"/testweb": testweb.read_bytes()}
    links = {f"/bin/{name}": "/testweb" for name in ("cat", "dial", "get", "hostname", "resolve", "sleep")}
    if busybox is not None:
        files["/bin/busybox"] = busybox.read_bytes()
        links |= {
            f"/bin/{name}": "/bin/busybox"
            for name in ("cat", "hostname", "ls", "nslookup", "ping", "ps", "sh", "sleep", "wget")
        }
    return Image(testweb_reference(), arch, files, ("/testweb",), links, {"PATH": "/bin:/"})


def write_archive(image: Image, target: Path) -> None:
    """Write the archive of ``image`` to ``target``, which must not exist yet."""
    layer = _layer(image)
    diff_id = hashlib.sha256(layer).hexdigest()
    config = json.dumps(_config(image, diff_id), sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    entry = {"Config": config_name, "RepoTags": [image.reference], "Layers": [f"{diff_id}/layer.tar"]}
    with target.open("xb") as out, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (
            (config_name, config),
            (f"{diff_id}/layer.tar", layer),
            ("manifest.json", json.dumps([entry]).encode()),
        ):
            _add(tar, name, data, 0o644)


def _config(image: Image, diff_id: str) -> dict[str, object]:
    run: dict[str, object] = {"Entrypoint": list(image.entrypoint), "User": image.user, "WorkingDir": "/"}
    if image.env:
        run["Env"] = [f"{key}={value}" for key, value in sorted(image.env.items())]
    root = {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]}
    return {
        "architecture": image.arch,
        "os": "linux",
        "config": run,
        "rootfs": root,
        "history": [{"created_by": "rancherctl"}],
    }


def _layer(image: Image) -> bytes:
    paths = sorted({*image.files, *image.links})
    folders = sorted({str(parent) for path in paths for parent in Path(path).parents if str(parent) != "/"})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in folders:
            tar.addfile(_info(folder, tarfile.DIRTYPE, 0o755))
        for path in paths:
            if path in image.files:
                _add(tar, path.lstrip("/"), image.files[path], 0o755)
            else:
                link = _info(path, tarfile.SYMTYPE, 0o777)
                link.linkname = image.links[path]
                tar.addfile(link)
    return buffer.getvalue()


def _info(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.type, info.mode = kind, mode
    return info


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = _info(name, tarfile.REGTYPE, mode)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
