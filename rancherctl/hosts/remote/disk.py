"""Files of a host: where they are, atomic writes, hashes with stamps. ``ROOT`` is put before every path (tests use a folder)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import hashlib
import json
import os
import pwd
import re
from pathlib import Path
from typing import Any

ROOT = ""
STATE = "/var/lib/rancherctl"
STAMPED_SIZE = 1 << 20
"""Files of this many bytes and more are hashed once and then known by their stamp."""
TRIES = 1000
MOUNTS = Path("/proc/self/mountinfo")


class StepError(Exception):
    """One step on the host failed; the text is one line for a person."""


def reason(error: Exception) -> str:
    """An error as one line for a person."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error) if isinstance(error, (StepError, OSError)) else f"{type(error).__name__}: {error}"


def at(path: str) -> Path:
    """The place of an absolute path under ROOT."""
    if not path.startswith("/") or "/../" in path + "/" or "\0" in path:
        raise StepError(f"not an absolute plain path: {path!r}")
    return Path(ROOT + path) if ROOT else Path(path)


def mounts_in(place: Path) -> list[str]:
    """Mount points below a folder, by their real paths, sorted: a bind mount of the same file system is seen nowhere else."""
    below = os.path.realpath(place) + "/"
    rows = (line.split(b" ", 5) for line in MOUNTS.read_bytes().splitlines())
    # the kernel writes white space and backslashes as three octal digits
    points = {
        os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), row[4])) for row in rows if len(row) > 4
    }
    return sorted(point for point in points if point.startswith(below))


def sync_directory(folder: Path) -> None:
    """Make a rename or unlink in the folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def ids(owner: str) -> tuple[int, int]:
    """User and group id of ``user:group``."""
    user, _, group = owner.partition(":")
    try:
        return pwd.getpwnam(user).pw_uid, grp.getgrnam(group or user).gr_gid
    except KeyError as error:
        raise StepError(f"owner {owner}: no such user or group on this host") from error


def owner_of(uid: int, gid: int) -> str:
    """``user:group``; a number stands where the id has no name."""
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    return f"{user}:{group}"


def own(fd: int, owner: str) -> None:
    """Give an open file its owner, ``user:group``."""
    _own(fd, *ids(owner))


def _own(fd: int, uid: int, gid: int) -> None:
    """Nothing is done where it is right already: who is not root may not even ask."""
    have = os.fstat(fd)
    if uid not in (-1, have.st_uid) or gid not in (-1, have.st_gid):
        os.fchown(fd, uid, gid)


def write(path: str, data: bytes, mode: int, owner: str) -> None:
    """``put`` for a path under ROOT and an owner as ``user:group``; folders that are missing are made."""
    target = at(path)
    if target.is_dir() and not target.is_symlink():
        raise StepError(f"{path} is a directory")
    target.parent.mkdir(parents=True, exist_ok=True)
    put(target, data, mode, *ids(owner))


def put(target: Path, data: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace a file atomically: temp beside it, owner and mode first, content, fsync, rename, fsync of the folder. The last writer wins.

    -1 leaves user or group as they come. OSError leaves the old file and nothing else.
    """
    temp, fd = _filled(target, data, mode, uid, gid)
    try:
        temp.rename(target)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    sync_directory(target.parent)


def staged(target: Path, data: bytes, mode: int) -> Path:
    """Write a file beside ``target``, whole and synced: what is renamed to it later, where nobody else writes it meanwhile."""
    temp, fd = _filled(target, data, mode, -1, -1)
    os.close(fd)
    return temp


def _filled(target: Path, data: bytes, mode: int, uid: int, gid: int) -> tuple[Path, int]:
    """The temporary file of ``target``, whole and synced, still open and locked."""
    temp = target.with_name(f".{target.name}.rancherctl-new")
    fd = _own_temp(temp)
    try:
        _own(fd, uid, gid)
        os.fchmod(fd, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except BaseException:
        temp.unlink(missing_ok=True)
        os.close(fd)
        raise
    return temp, fd


def _own_temp(temp: Path) -> int:
    """A new temporary file, open for writing and locked: another writer of the same target (a look beside an apply) is waited for.

    What is there already is never written to: its owner, or who has it open, could read or change what comes.
    """
    for _ in range(TRIES):
        try:
            fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            _wait_for_writer(temp)
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)
        if _is(temp, fd):
            return fd
        # somebody took it for a left one before it was locked
        os.close(fd)
    raise StepError(f"{temp} is made again and again by somebody else")


def _wait_for_writer(temp: Path) -> None:
    """Until its writer has renamed it; one whose writer is gone is removed."""
    try:
        fd = os.open(temp, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        temp.unlink(missing_ok=True)
        return
    try:
        if os.fstat(fd).st_uid == os.geteuid():  # anybody else could hold it for ever
            fcntl.flock(fd, fcntl.LOCK_EX)
        if _is(temp, fd):
            temp.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _is(path: Path, fd: int) -> bool:
    """Whether the open file is the one at that path now."""
    try:
        there, mine = path.lstat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def link(path: str, target: str) -> None:
    """Replace a symbolic link atomically."""
    place = at(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    temp = place.with_name(f".{place.name}.rancherctl-new")
    temp.unlink(missing_ok=True)
    temp.symlink_to(target)
    temp.rename(place)
    sync_directory(place.parent)


def read_state(name: str) -> dict[str, Any]:
    """A JSON object kept under STATE; a missing or broken one counts as empty (it is written by rename: nothing of ours breaks it)."""
    try:
        value = json.loads((at(STATE) / name).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_state(name: str, value: dict[str, Any]) -> None:
    """Keep a JSON object under STATE, readable by root only."""
    folder = at(STATE)
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    me = owner_of(os.geteuid(), os.getegid())
    write(f"{STATE}/{name}", json.dumps(value, sort_keys=True).encode(), 0o600, me)


def sha256(place: Path) -> str:
    """Hex hash of a file's content."""
    with place.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(info: os.stat_result) -> list[int]:
    """What must not have changed for a stamped hash to count."""
    return [info.st_size, info.st_mtime_ns, info.st_ino]


class Stamps:
    """Hashes of big files, valid while size, time and inode stay; ``save`` keeps new ones when STATE exists."""

    def __init__(self) -> None:
        self.known = read_state("stamps.json")
        self.changed = False

    def sha256(self, path: str, info: os.stat_result) -> str:
        """The file's hash: from its stamp, else counted now (and stamped if the file is big)."""
        if info.st_size < STAMPED_SIZE:
            return sha256(at(path))
        entry = self.known.get(path)
        if isinstance(entry, dict) and entry.get("stamp") == stamp_of(info):
            return str(entry["sha256"])
        digest = sha256(at(path))
        self.put(path, info, digest)
        return digest

    def put(self, path: str, info: os.stat_result, digest: str) -> None:
        """Remember a hash that was just counted."""
        self.known[path] = {"sha256": digest, "stamp": stamp_of(info)}
        self.changed = True

    def save(self, *, create: bool = False) -> None:
        """Keep new stamps, without those of files that are gone. STATE itself is made only with ``create``: a look leaves no trace."""
        if not self.changed or not (create or at(STATE).is_dir()):
            return
        # a full or read-only disk: they are counted again next time
        with contextlib.suppress(OSError):
            write_state("stamps.json", {path: entry for path, entry in self.known.items() if at(path).exists()})
