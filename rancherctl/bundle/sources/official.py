"""The ``official`` source: release files over HTTPS, each checked against the checksum published beside it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfileobj
from threading import Event as Flag
from typing import TYPE_CHECKING, Final

from rancherctl.bundle.sources.base import CollectedFile, check_arch_of, record, recorded
from rancherctl.bundle.sources.download import Clock, Terms, fetch, fetch_text
from rancherctl.bundle.sources.releases import Bases, Release, parse_checksum, releases
from rancherctl.bundle.versions import Versions
from rancherctl.errors import RancherctlError, TimeoutExceededError
from rancherctl.events import Emit, Event
from rancherctl.files import atomically

if TYPE_CHECKING:
    from concurrent.futures import Future

PHASE: Final = "fetch"
_PARALLEL: Final = 4
_LOOK: Final = 1.0
"""Seconds between two looks whether the work was called off, while another process is waited for."""
_STEP: Final = 0.1
"""Progress is reported at every tenth of a file."""


def collect(
    versions: Versions,
    arch: str,
    cache: Path,
    emit: Emit,
    *,
    bases: Bases | None = None,
    terms: Terms | None = None,
) -> tuple[CollectedFile, ...]:
    """Fetch what ``cache/releases`` lacks, four at a time. The first error or Ctrl-C cancels the rest; data is kept."""
    from concurrent.futures import ThreadPoolExecutor
    from concurrent.futures import wait as wait_for

    stop = Flag()
    job = _Job(arch, cache / "releases", emit, replace(terms or Terms(clock=Clock(sleep=stop.wait)), stop=stop))
    with ThreadPoolExecutor(_PARALLEL) as pool:
        jobs = [pool.submit(job.fetch, release) for release in releases(versions, arch, bases or Bases())]
        try:
            wait_for(jobs, return_when="FIRST_EXCEPTION")
            return tuple(found for j in _failed_first(jobs) for found in j.result())
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _failed_first(jobs: list[Future[list[CollectedFile]]]) -> list[Future[list[CollectedFile]]]:
    """The jobs in order; one that failed stands before all others, which may not be done."""
    failed = [j for j in jobs if j.done() and j.exception()]
    return failed or jobs


@dataclass(frozen=True, slots=True)
class _Job:
    """Fetches one release after the other into ``cache``; used by several threads at once."""

    arch: str
    cache: Path
    emit: Emit
    terms: Terms

    def fetch(self, release: Release) -> list[CollectedFile]:
        """The release's binaries; one process fetches, others wait for it and take its result."""
        folder = self.cache / f"{release.component}-{release.version}-{self.arch}"
        if found := self._there(release, folder):
            self.emit(Event(PHASE, "already fetched", release.name, "done"))
            return found
        folder.mkdir(parents=True, exist_ok=True)
        with self._alone(release, folder):
            if found := self._there(release, folder):
                self.emit(Event(PHASE, "fetched meanwhile by another process", release.name, "done"))
                return found
            return self._fetch(release, folder)

    @contextmanager
    def _alone(self, release: Release, folder: Path) -> Iterator[None]:
        from filelock import FileLock, Timeout

        path, limit = folder / f"{release.name}.lock", self.terms.limits.total
        lock, patience = FileLock(path), round(limit / _LOOK)
        for left in range(patience, -1, -1):
            try:
                lock.acquire(timeout=_LOOK)
                break
            except Timeout as error:
                self.terms.go_on()
                if left == patience:
                    self.emit(Event(PHASE, "another process fetches it: waiting for its end", release.name))
                if left == 0:
                    what = f"another process has been fetching {release.name} for {limit:.0f} s"
                    raise TimeoutExceededError(what, why=f"it holds {path}") from error
        try:
            yield
        finally:
            lock.release()

    def _there(self, release: Release, folder: Path) -> list[CollectedFile]:
        return recorded(release.component, release.version, _bin(release, folder), _names(release))

    def _fetch(self, release: Release, folder: Path) -> list[CollectedFile]:
        names, bin_folder = _names(release), _bin(release, folder)
        for left in bin_folder.glob(".*"):  # of a run that was killed while it unpacked
            left.unlink()
        self.emit(Event(PHASE, release.url, release.name, "started"))
        try:
            fetch(
                release.url,
                folder / release.name,
                self._published(release, folder),
                progress=_teller(release, self.emit),
                terms=self.terms,
            )
            _unpack(release, folder / release.name, bin_folder)
        except RancherctlError as error:
            self.emit(Event(PHASE, str(error), release.name, "failed", "error"))
            raise
        check_arch_of([bin_folder / name for name in names], self.arch, where=release.url)
        record(bin_folder, names)
        self.emit(Event(PHASE, "fetched and checked", release.name, "done"))
        return self._there(release, folder)

    def _published(self, release: Release, folder: Path) -> str:
        text = fetch_text(release.checksum_url, folder, terms=self.terms)
        sha256 = parse_checksum(text, release.name)
        if sha256 is None:
            why = f"it begins with {text[:60]!r}"
            raise RancherctlError(
                f"{release.checksum_url} has no sha256 of {release.name}",
                why=why,
                hint="is a proxy answering in its place?",
            )
        return sha256


def _names(release: Release) -> list[str]:
    return [name for name, _ in release.members] or [release.name]


def _bin(release: Release, folder: Path) -> Path:
    return folder / "bin" if release.members else folder / "bin" / release.name


def _unpack(release: Release, file: Path, folder: Path) -> None:
    """Leave the binaries in ``folder`` and remove what was fetched: only wanted members, only plain files."""
    if not release.members:
        atomically(folder / release.name, file.rename, mode=0o755, folders=0o755)
        return
    wanted = {member: name for name, member in release.members}
    try:
        with tarfile.open(file, "r:gz") as tar:
            for info in tar:
                name = wanted.pop(info.name.removeprefix("./"), None)
                if name is not None and info.isreg():
                    atomically(folder / name, _writer(tar, info), mode=0o755, folders=0o755)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RancherctlError(f"{release.name} cannot be unpacked", why=str(error)) from error
    if wanted:
        raise RancherctlError(
            f"{release.name} has no {', '.join(sorted(wanted))}", why="the layout of the release is another one"
        )
    file.unlink()


def _writer(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[Path], None]:
    def fill(temporary: Path) -> None:
        content = tar.extractfile(info)
        assert content is not None, "a regular file has content"
        with temporary.open("wb") as out:
            copyfileobj(content, out, 1 << 20)

    return fill


def _teller(release: Release, emit: Emit) -> Callable[[int, int | None], None]:
    told = 0.0

    def tell(have: int, size: int | None) -> None:
        nonlocal told
        if size and (have / size >= told + _STEP or have == size):
            told = have / size
            emit(Event(PHASE, f"{have >> 20} of {size >> 20} MiB", release.name, "progress", fraction=told))

    return tell
