"""Files of a host: atomic writes, and hashes with stamps.

``ROOT`` is prepended to every path (tests use a folder).
"""

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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = ""
STATE = "/var/lib/rancherctl"
STAMPED_SIZE = 1 << 20
"""Files of at least this many bytes are hashed once and then recognised by their stamp."""
TEMPORARY = ".rancherctl-new"
"""How the name of a temporary file ends; it begins with a dot and the name of its target."""
TRIES = 1000
MAX_FILE_SYNCS = 8
MOUNTS = Path("/proc/self/mountinfo")


class StepError(Exception):
    """A step on the host failed; the text is one line for people."""


def reason(error: Exception) -> str:
    """An error as one line for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error) if isinstance(error, (StepError, OSError)) else f"{type(error).__name__}: {error}"


def at(path: str) -> Path:
    """An absolute path below ROOT."""
    if not path.startswith("/") or "/../" in path + "/" or "\0" in path:
        raise StepError(f"not an absolute plain path: {path!r}")
    return Path(ROOT + path) if ROOT else Path(path)


def mounts_in(place: Path) -> list[str]:
    """Real paths of mount points below a folder, sorted.

    Only this list shows bind mounts of the same file system.
    """
    below = os.path.realpath(place) + "/"
    rows = (line.split(b" ", 5) for line in MOUNTS.read_bytes().splitlines())
    # the kernel escapes white space and backslashes as three octal digits
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
    """``user:group``; an id without a name is a number."""
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
    """Set the owner of an open file, ``user:group``."""
    _own(fd, *ids(owner))


def _own(fd: int, uid: int, gid: int) -> None:
    """Set the owner unless it is right already: without root rights even that call is refused."""
    have = os.fstat(fd)
    if uid not in (-1, have.st_uid) or gid not in (-1, have.st_gid):
        os.fchown(fd, uid, gid)


def write(path: str, data: bytes, mode: int, owner: str) -> None:
    """``put`` for a path below ROOT and an owner as ``user:group``; creates missing folders."""
    target = at(path)
    if target.is_dir() and not target.is_symlink():
        raise StepError(f"{path} is a directory")
    target.parent.mkdir(parents=True, exist_ok=True)
    put(target, data, mode, *ids(owner))


def put(target: Path, data: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace a file atomically.

    Temporary file with owner and mode, content, fsync, rename, fsync of the folder.

    -1 keeps the default user or group. After an OSError only the old file exists. The last writer wins.
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


def put_all(contents: Mapping[Path, bytes], mode: int, gid: int = -1) -> None:
    """``put`` for several files; for many, the file system is synced once instead of each file."""
    many = len(contents) > MAX_FILE_SYNCS
    made: list[tuple[Path, Path]] = []
    try:
        for target, data in contents.items():
            temp, fd = _filled(target, data, mode, -1, gid, sync=not many)
            made.append((temp, target))
            os.close(fd)
        for folder in {target.parent for target in contents} if many else ():
            _sync_file_system(folder)
        for temp, target in made:
            temp.rename(target)
    except BaseException:
        for temp, _ in made:
            temp.unlink(missing_ok=True)
        raise
    for folder in {target.parent for target in contents}:
        sync_directory(folder)


def _sync_file_system(folder: Path) -> None:
    """Make everything that was written to the file system of a folder durable."""
    import ctypes  # os has no syncfs

    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            raise OSError(ctypes.get_errno(), "cannot sync the file system", str(folder))
    finally:
        os.close(fd)


def staged(target: Path, data: bytes, mode: int) -> Path:
    """Write and sync a temporary file beside ``target``, to be renamed later unless another process writes it, too."""
    temp, fd = _filled(target, data, mode, -1, -1)
    os.close(fd)
    return temp


def _filled(target: Path, data: bytes, mode: int, uid: int, gid: int, *, sync: bool = True) -> tuple[Path, int]:
    """The complete temporary file of ``target``, still open and locked; on the disk unless ``sync`` is false."""
    temp = target.with_name(f".{target.name}{TEMPORARY}")
    fd = _own_temp(temp)
    try:
        _own(fd, uid, gid)
        os.fchmod(fd, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        if sync:
            os.fsync(fd)
    except BaseException:
        temp.unlink(missing_ok=True)
        os.close(fd)
        raise
    return temp, fd


def _own_temp(temp: Path) -> int:
    """Create a temporary file, open and locked.

    Waits for another writer of the same target (an observe during an apply).

    An existing file is never written to: its owner, or a process that has it open, could read or change the content.
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
        # another writer removed it as abandoned before it was locked
        os.close(fd)
    raise StepError(f"{temp} is created again and again by another process")


def _wait_for_writer(temp: Path) -> None:
    """Wait until its writer has renamed it; remove it if the writer is gone."""
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
        if os.fstat(fd).st_uid == os.geteuid():  # another user could hold the lock forever
            fcntl.flock(fd, fcntl.LOCK_EX)
        if _is(temp, fd):
            temp.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _is(path: Path, fd: int) -> bool:
    """Whether the open file is the one at that path now."""
    try:
        found, mine = path.lstat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)


def link(path: str, target: str) -> None:
    """Replace a symbolic link atomically."""
    place = at(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    temp = place.with_name(f".{place.name}{TEMPORARY}")
    temp.unlink(missing_ok=True)
    temp.symlink_to(target)
    temp.rename(place)
    sync_directory(place.parent)


def read_state(name: str) -> dict[str, Any]:
    """A JSON object stored under STATE.

    {} if it is missing or invalid (writes are atomic, so rancherctl never damages it).
    """
    try:
        value = json.loads((at(STATE) / name).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_state(name: str, value: dict[str, Any]) -> None:
    """Store a JSON object under STATE, readable by root only."""
    folder = at(STATE)
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    me = owner_of(os.geteuid(), os.getegid())
    write(f"{STATE}/{name}", json.dumps(value, sort_keys=True).encode(), 0o600, me)


def sha256(place: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with place.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(info: os.stat_result) -> list[int]:
    """Size, modification time and inode: a stored hash is valid while these are unchanged."""
    return [info.st_size, info.st_mtime_ns, info.st_ino]


class Stamps:
    """Cache of hashes of big files, valid while size, time and inode are unchanged.

    ``save`` stores it if STATE exists.
    """

    def __init__(self) -> None:
        self.known = read_state("stamps.json")
        self.changed = False

    def sha256(self, path: str, info: os.stat_result) -> str:
        """The file's hash: from the cache, or computed now (and cached if the file is big)."""
        if info.st_size < STAMPED_SIZE:
            return sha256(at(path))
        entry = self.known.get(path)
        if isinstance(entry, dict) and entry.get("stamp") == stamp_of(info):
            return str(entry["sha256"])
        digest = sha256(at(path))
        self.put(path, info, digest)
        return digest

    def put(self, path: str, info: os.stat_result, digest: str) -> None:
        """Cache a hash that was just computed."""
        self.known[path] = {"sha256": digest, "stamp": stamp_of(info)}
        self.changed = True

    def save(self, *, create: bool = False) -> None:
        """Store new entries, and drop those of missing files.

        Creates STATE only with ``create``: observing leaves no trace.
        """
        if not self.changed or not (create or at(STATE).is_dir()):
            return
        # on a full or read-only disk they are computed again next time
        with contextlib.suppress(OSError):
            write_state("stamps.json", {path: entry for path, entry in self.known.items() if at(path).exists()})
