"""The sending side of an upload: identity of the source, and its bytes from an offset followed by its hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rancherctl.errors import NotFoundError
from rancherctl.hosts.transport import Progress

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class UploadSource:
    """A local file to send. ``key`` changes with the file, so that an upload never resumes with other content."""

    path: Path
    size: int
    key: str


def source_of(path: Path) -> UploadSource:
    """Size and key of the source; NotFoundError if it cannot be read."""
    try:
        info = path.stat()
    except OSError as error:
        raise NotFoundError(f"cannot read {path}", why=error.strerror or str(error)) from error
    text = f"{path.name} {info.st_size} {info.st_mtime_ns} {info.st_ino}"
    return UploadSource(path, info.st_size, hashlib.sha256(text.encode()).hexdigest())


def feed(source: UploadSource, offset: int, progress: Progress | None) -> Iterator[bytes]:
    """The content from ``offset`` in blocks, then the hash of the whole content in 64 ASCII bytes."""
    digest = hashlib.sha256()
    done = 0
    with source.path.open("rb", buffering=0) as file:
        while done < source.size:
            block = file.read(min(BLOCK, (offset if done < offset else source.size) - done))
            if not block:
                raise NotFoundError(f"{source.path} shrank during the upload", hint="run the same command again")
            digest.update(block)
            done += len(block)
            if done > offset:
                yield block
                if progress is not None:
                    progress(done, source.size)
    yield digest.hexdigest().encode()


class Blocks(io.RawIOBase):
    """Blocks as a readable stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with available bytes; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
