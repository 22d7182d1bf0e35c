"""Files of the load balancer on a host: written whole by temp + fsync + rename, read back with a checksum where damage must be noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rancherctl.hosts.remote import disk
from rancherctl.ingress.haproxy.layout import Layout


def write(path: Path, data: bytes, *, mode: int = 0o640, group: int = -1) -> None:
    """Replace ``path`` atomically; after a crash it has the old or the new content, never half of one. OSError leaves the old one."""
    disk.put(path, data, mode, gid=group)


Identity = tuple[int, int, int]


def identity(path: Path) -> Identity | None:
    """What changes when somebody else writes the file: inode, size, time of change; None if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def differing(wanted: Mapping[str, str]) -> list[str]:
    """Paths whose content on disk is not the wanted one, or cannot be read."""
    out = []
    for path, text in wanted.items():
        try:
            same = Path(path).read_bytes() == text.encode()
        except OSError:
            same = False
        if not same:
            out.append(path)
    return out


@dataclass(frozen=True, slots=True)
class State:
    """What the agent must know after a restart without the API: the layout, which Ingresses are served here on purpose, the last roster seen."""

    layout: Layout
    serving: tuple[str, ...] = ()
    epoch: int = 0
    sequence: int = 0
    address: str = ""

    def encode(self) -> bytes:
        """JSON behind a line with its sha256."""
        data = {
            "layout": self.layout.to_json(),
            "serving": list(self.serving),
            "epoch": self.epoch,
            "sequence": self.sequence,
            "address": self.address,
        }
        body = json.dumps(data, separators=(",", ":")).encode()
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @staticmethod
    def decode(data: bytes) -> State:
        """Read ``encode``. Raises ValueError when it is damaged."""
        checksum, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            raise ValueError("the checksum does not fit the content")
        value: Any = json.loads(body)
        layout = Layout.from_json(value["layout"])
        return State(
            layout, tuple(value["serving"]), int(value["epoch"]), int(value["sequence"]), str(value["address"])
        )
