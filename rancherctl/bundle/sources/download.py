"""Fetch one file over HTTP(S): time limits, resumed after a cut, retried with back-off, verified by sha256."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from rancherctl.bundle.files import sha256_of
from rancherctl.bundle.sources.http import NETWORK, AgainError, BeyondEndError, open_url, range_start
from rancherctl.errors import RancherctlError, TimeoutExceededError, UnreachableError

_CHUNK: Final = 1 << 18
_RESUME: Final = "run it again: it goes on where it stopped"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: ``silence`` without a byte, ``total`` per file; ``tries``: attempts in a row without data; back-off."""

    silence: float = 30.0
    total: float = 1800.0
    tries: int = 6
    first_pause: float = 0.5
    longest_pause: float = 20.0


@dataclass(frozen=True, slots=True)
class Clock:
    """What a test replaces: monotonic seconds, waiting, and a random number in 0..1."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Terms:
    """How patient a fetch is, and by which clock. ``stop`` calls it off at the next chunk or attempt (StoppedError)."""

    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=Clock)
    stop: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """StoppedError where the work was called off."""
        if self.stop.is_set():
            raise StoppedError


class StoppedError(Exception):
    """The download was cancelled: another one failed, or the user pressed Ctrl-C. Its data is kept for the next run."""


Progress = Callable[[int, int | None], None]
"""Called with the bytes at hand and the size, where the server says it."""


def fetch(url: str, target: Path, sha256: str, *, progress: Progress, terms: Terms) -> None:
    """Leave ``url`` at ``target`` with that sha256. What an earlier run left in ``TARGET.part`` is continued by Range.

    Raises NotFoundError (404, 410), UnreachableError (no bytes in ``tries`` attempts), TimeoutExceededError (``total``
    passed) and RancherctlError for a wrong checksum; what was resumed is fetched from the start once more before that,
    because the file may have changed meanwhile.
    """
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    for resumed in (part.exists(), False):
        attempt = _Attempt(url, part, progress, terms, terms.clock.now() + terms.limits.total)
        _until_complete(attempt)
        digest = sha256_of(part)
        if digest == sha256:
            part.replace(target)
            return
        part.unlink()
        if not resumed:
            break
    raise RancherctlError(
        f"{url} has the wrong checksum",
        why=f"sha256 is {digest}, published is {sha256}",
        hint="the file or its checksum was changed on the way; nothing was kept",
    )


def fetch_text(url: str, folder: Path, *, terms: Terms) -> str:
    """A small text file, by way of a file in ``folder``. Raises as ``fetch`` does."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{url.rpartition('/')[2]}.text"
    part.unlink(missing_ok=True)
    _until_complete(
        _Attempt(url, part, lambda _have, _size: None, terms, terms.clock.now() + terms.limits.total, 1 << 20)
    )
    text = part.read_text("utf-8", "replace")
    part.unlink()
    return text


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Downloads the rest of ``part`` at each call, until ``deadline``. ``largest``: refuse files that exceed it."""

    url: str
    part: Path
    progress: Progress
    terms: Terms
    deadline: float
    largest: int = 1 << 36

    def __call__(self) -> int:
        """The bytes that came before the connection was cut, or 0 when the file is complete."""
        have = self.part.stat().st_size if self.part.exists() else 0
        try:
            with open_url(self.url, have, self.terms.limits.silence) as response:
                return self._read(response, have)
        except BeyondEndError as error:
            if error.size == have:
                return 0
            self.part.unlink()
            raise AgainError("the partial download is longer than the file: starting over") from error

    def _read(self, response: http.client.HTTPResponse, have: int) -> int:
        start = have if response.status == 206 and range_start(response.headers) == have else 0
        length = response.headers.get("Content-Length") or ""
        size = start + int(length) if length.isdigit() else None
        cut = None
        with self.part.open("r+b" if self.part.exists() else "wb", buffering=0) as out:
            out.seek(start)
            out.truncate()
            try:
                self._copy(response, out, size)
            except NETWORK as error:
                cut = str(error) or type(error).__name__
            got = out.tell() - start
        if cut is None and (size is None or start + got >= size):
            return 0
        if got:
            return got
        raise AgainError(cut or "the connection was closed before the first byte")

    def _copy(self, response: http.client.HTTPResponse, out: IO[bytes], size: int | None) -> None:
        while chunk := response.read1(_CHUNK):
            self._keep(out, chunk)
            self.progress(out.tell(), size)
            self.terms.go_on()
            if out.tell() > self.largest:
                raise RancherctlError(
                    f"{self.url} is larger than {self.largest} bytes", why="this cannot be the file that was asked for"
                )
            if self.terms.clock.now() > self.deadline:
                raise TimeoutExceededError(
                    f"{self.url} was not complete in time", why=f"{out.tell()} bytes had come", hint=_RESUME
                )

    def _keep(self, out: IO[bytes], chunk: bytes) -> None:
        """Apart from the network's errors: asking again makes no room."""
        view = memoryview(chunk)
        try:
            while view:
                view = view[out.write(view) :]
        except OSError as error:
            raise RancherctlError(
                f"{self.part} cannot be written", why=error.strerror or str(error), hint=f"make room there; {_RESUME}"
            ) from error


def _until_complete(attempt: _Attempt) -> None:
    """Call ``attempt`` until it is complete. Attempts that bring bytes do not count against ``tries``."""
    limits, clock, url = attempt.terms.limits, attempt.terms.clock, attempt.url
    failures, why, asked = 0, "", 0.0
    while True:
        attempt.terms.go_on()
        try:
            got = attempt()
        except AgainError as error:
            failures, why, asked = failures + 1, str(error), error.pause
        else:
            if got == 0:
                return
            failures, why, asked = 1, f"cut after {got} bytes", 0.0
        if failures == limits.tries:
            break
        pause = max(asked, clock.random() * min(limits.longest_pause, limits.first_pause * 2**failures))
        if clock.now() + pause > attempt.deadline:
            raise TimeoutExceededError(f"{url} was not complete in time", why=why, hint=_RESUME)
        clock.sleep(pause)
    raise UnreachableError(
        f"{url} cannot be fetched", why=f"{failures} attempts in a row failed, the last one: {why}", hint=_RESUME
    )
