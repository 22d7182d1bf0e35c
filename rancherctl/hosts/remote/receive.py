"""Receive a big file on standard input, resuming an interrupted attempt of the same source.

Two receivers of one source do not disturb each other: each writes at its own offset, and the bytes there are equal.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Any, BinaryIO

from rancherctl.hosts.remote import disk

BLOCK = 1 << 20


def partial(path: str, source: str) -> str:
    """Path of the partial file of a source: beside the target, so that the rename stays in one file system."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{source[:20]}.rancherctl-part"


def offset(request: dict[str, Any]) -> dict[str, Any]:
    """Answer ``{"offset": bytes already received}``; removes partial files of other sources for the same target."""
    path, part = request["path"], partial(request["path"], request["source"])
    folder = disk.at(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    mine = disk.at(part)
    for other in folder.glob(f".{disk.at(path).name}.*.rancherctl-part"):
        if other != mine:
            other.unlink(missing_ok=True)
    have = mine.stat().st_size if mine.exists() else 0
    if have > request["size"]:
        mine.unlink()
        have = 0
    space = os.statvfs(folder)
    free = space.f_bavail * space.f_frsize
    if free < request["size"] - have:
        raise disk.StepError(f"{request['size'] - have} bytes do not fit on the file system of {path}: {free} are free")
    return {"offset": have}


def receive(request: dict[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """Read the content, check size and hash, fsync, rename, stamp. Answer ``{"sha256"}``.

    A wrong hash removes the partial file. The sender's hash follows the content in 64 bytes, because it is computed
    while sending.
    """
    path = request["path"]
    place, target = disk.at(partial(path, request["source"])), disk.at(path)
    digest = hashlib.sha256()
    fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        position, end = 0, request["offset"]
        while position < end:
            block = os.pread(fd, min(BLOCK, end - position), position)
            if not block:
                raise disk.StepError(f"{path}: the partial file has shrunk; run the command again")
            digest.update(block)
            position += len(block)
        while position < request["size"]:
            block = stream.read(min(BLOCK, request["size"] - position))
            if not block:
                os.fsync(fd)
                raise disk.StepError(
                    f"{path}: interrupted after {position} of {request['size']} bytes; the next run resumes there"
                )
            digest.update(block)
            view = memoryview(block)
            while view:
                count = os.pwrite(fd, view, position)
                position += count
                view = view[count:]
        expected = stream.read(64).decode("ascii", "replace")
        if expected != digest.hexdigest():
            place.unlink()
            raise disk.StepError(
                f"{path}: received content has hash {digest.hexdigest()[:12]}, expected {expected[:12] or 'none'}"
            )
        disk.own(fd, request["owner"])
        os.fchmod(fd, request["mode"])
        os.fsync(fd)
    finally:
        os.close(fd)
    if target.is_dir() and not target.is_symlink():
        raise disk.StepError(f"{path} is a directory")
    place.rename(target)
    disk.sync_directory(target.parent)
    stamps = disk.Stamps()
    stamps.put(path, target.stat(), digest.hexdigest())
    stamps.save(create=True)
    return {"sha256": digest.hexdigest()}


OPERATIONS = {"offset": offset, "receive": lambda request: receive(request, sys.stdin.buffer)}
