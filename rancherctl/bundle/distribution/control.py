"""Read the control fields of a .deb: an ar archive whose second member holds the file ``control``. No dpkg needed."""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from rancherctl.bundle.distribution.programs import run
from rancherctl.errors import RancherctlError

_MAGIC: Final = b"!<arch>\n"
_HEADER: Final = 60
_LIMIT: Final = 16 << 20
"""A control member is some kilobytes; more than this many bytes cannot be a package."""


def control(file: Path) -> str:
    """The text of ``control``. ValueError if the file is not a package or needs dpkg-deb (zstd)."""
    with file.open("rb") as handle:
        if handle.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("is not a Debian package")
        while header := handle.read(_HEADER):
            name, size = _member(header)
            if name.startswith("control.tar"):
                return _unpacked(file, name, _content(handle, size))
            handle.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError("is not a Debian package: it has no control member")


def _member(header: bytes) -> tuple[str, int]:
    try:
        return header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
    except ValueError as error:
        raise ValueError("is not a Debian package, or cut off") from error


def _content(handle: BinaryIO, size: int) -> bytes:
    data = handle.read(size) if 0 <= size <= _LIMIT else b""
    if len(data) != size:
        raise ValueError("is cut off, or no Debian package")
    return data


def _unpacked(file: Path, name: str, data: bytes) -> str:
    if name.endswith(".zst"):
        return _by_dpkg(file)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as tar:
            for info in tar:
                content = tar.extractfile(info) if info.name.removeprefix("./") == "control" and info.isreg() else None
                if content is not None:
                    return content.read(_LIMIT).decode()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"cannot be unpacked: {error}") from error
    raise ValueError("has no control file")


def _by_dpkg(file: Path) -> str:
    if shutil.which("dpkg-deb") is None:
        raise ValueError("is packed with zstd, which takes dpkg-deb (make the bundle on a Debian or Ubuntu machine)")
    try:
        return run(("dpkg-deb", "--field", str(file)))
    except RancherctlError as error:
        raise ValueError(error.why) from error
