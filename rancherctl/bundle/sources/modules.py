"""The ``modules`` source: programs built from pinned Go modules, cached outside the tree by their inputs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rancherctl.bundle.distribution.programs import run as run_program
from rancherctl.bundle.sources.base import CollectedFile, check_arch_of, record, recorded
from rancherctl.bundle.sources.gobuild import MODULES, Recipe, recipes, testweb
from rancherctl.bundle.sources.streaming import run_streaming
from rancherctl.bundle.versions import Versions
from rancherctl.errors import NotFoundError, RancherctlError, TimeoutExceededError
from rancherctl.events import Emit, Event

PHASE: Final = "build"
BUILD_LIMIT: Final = 3600.0
"""Seconds for one component; a cold build of Kubernetes on two cores takes 4 to 7 minutes."""

Run = Callable[[list[str], Path, float, Callable[[str], None]], int]
"""Run argv in a directory with a limit in seconds, give each line of its output on; the exit code."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The ``go`` command and its version, for example ``go1.26.8``; ``run`` is what a test replaces."""

    go: str
    version: str
    run: Run = field(default=run_streaming)


def collect(versions: Versions, arch: str, cache: Path, emit: Emit) -> tuple[CollectedFile, ...]:
    """Build what ``cache/builds`` lacks. NotFoundError if Go is missing, RancherctlError if a build fails."""
    toolchain, found = find_go(), list[CollectedFile]()
    for recipe in recipes(versions):
        found += build(recipe, arch, cache, emit, toolchain)
    return tuple(found)


def build_testweb(arch: str, cache: Path, emit: Emit) -> Path:
    """The test web server's program."""
    (program,) = build(testweb(), arch, cache, emit, find_go())
    return program.file


def find_go(
    why: str = "--source modules compiles the programs",
    hint: str = "install Go 1.26 or newer, or use --source official or a directory",
) -> Toolchain:
    """The installed toolchain. Raises NotFoundError with ``why`` it is needed, and ``hint``."""
    go = shutil.which("go")
    if go is None:
        raise NotFoundError("no Go here", why=why, hint=hint)
    # Not where the user is: a go.mod there may ask for a toolchain of its own, which Go would fetch.
    return Toolchain(
        go, run_program([go, "env", "GOVERSION"], timeout=60, cwd=MODULES, extra={"HOME": str(Path.home())}).strip()
    )


def able(versions: Versions) -> bool:
    """Whether there is a Go here that is new enough for these versions; distributions have older ones."""
    if shutil.which("go") is None:
        return False
    version = find_go().version
    return all(recipe.fits(version) for recipe in recipes(versions))


def build(recipe: Recipe, arch: str, cache: Path, emit: Emit, toolchain: Toolchain) -> list[CollectedFile]:
    """The programs of one recipe; one process builds, others wait for it and take its result."""
    from filelock import FileLock, Timeout

    if not (recipe.module / "go.mod").is_file():
        hint = "use --source official or a directory"
        raise NotFoundError(
            f"{recipe.component} {recipe.version} cannot be built", why=f"no pinned module {recipe.module}", hint=hint
        )
    folder = cache / "builds" / f"{recipe.component}-{recipe.version}-{arch}-{recipe.key(arch, toolchain.version)}"
    if found := _built(recipe, folder):
        emit(Event(PHASE, "already built", recipe.component, "done"))
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{folder}.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        emit(Event(PHASE, "another process builds it: waiting for its end", recipe.component))
        try:
            held = lock.acquire(timeout=BUILD_LIMIT)
        except Timeout as error:
            what = f"another process has been building {recipe.component} for {BUILD_LIMIT:.0f} s"
            raise TimeoutExceededError(what, why=f"it holds {folder}.lock") from error
    with held:
        if _built(recipe, folder):
            emit(Event(PHASE, "built meanwhile by another process", recipe.component, "done"))
        else:
            _Build(recipe, arch, emit, toolchain).into(folder)
    return _built(recipe, folder)


def _built(recipe: Recipe, folder: Path) -> list[CollectedFile]:
    return recorded(recipe.component, recipe.version, folder, recipe.names)


@dataclass(slots=True)
class _Build:
    recipe: Recipe
    arch: str
    emit: Emit
    toolchain: Toolchain
    lines: list[str] = field(default_factory=list)

    def into(self, folder: Path) -> None:
        """Build beside ``folder`` and rename, so that a directory there is always complete."""
        recipe, out, began = self.recipe, folder.with_name(f"{folder.name}.tmp"), time.monotonic()
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        self._tell(f"go build {recipe.version} for linux/{self.arch}", "started")
        try:
            self._compile(out)
            self._finish(out)
            shutil.rmtree(folder, ignore_errors=True)
            out.rename(folder)
        finally:
            shutil.rmtree(out, ignore_errors=True)
        self._tell(f"built in {time.monotonic() - began:.0f} s", "done")

    def _compile(self, out: Path) -> None:
        recipe = self.recipe
        # Go finds its caches by HOME, which services and containers may lack; then use the home of the user database.
        argv = ["env", f"HOME={Path.home()}", *recipe.command(self.toolchain.go, self.arch, out)]
        code = self.toolchain.run(argv, recipe.module, BUILD_LIMIT, self._line)
        if code:
            self.emit(Event(PHASE, "go build failed", recipe.component, "failed", "error"))
            told = _messages(self.lines)
            what = f"go build of {recipe.component} {recipe.version} failed with exit code {code}"
            raise RancherctlError(what, why=" | ".join(told), hint=_hint(" ".join(told)))

    def _line(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) % 100 == 0:
            self._tell(f"{len(self.lines)} packages compiled or fetched, now {line}", "progress")

    def _tell(self, message: str, state: Literal["started", "progress", "done"]) -> None:
        self.emit(Event(PHASE, message, self.recipe.component, state))

    def _finish(self, out: Path) -> None:
        recipe = self.recipe
        for file in list(out.iterdir()):
            file.chmod(0o755)
            file.rename(out / recipe.final_name(file.name))
        missing = [name for name in recipe.names if not (out / name).is_file()]
        if missing:
            hint = f"look at the tool lines of {recipe.module / 'go.mod'}"
            raise RancherctlError(f"go build of {recipe.component} did not make {', '.join(missing)}", hint=hint)
        check_arch_of([out / name for name in recipe.names], self.arch, where=recipe.component)
        record(out, recipe.names)


def _messages(lines: list[str], most: int = 12) -> list[str]:
    """What the compiler said: names of compiled packages, which are the other lines of its output, have no spaces."""
    return [line for line in lines if " " in line][-most:] or lines[-most:]


def _hint(text: str) -> str:
    if any(
        sign in text for sign in ("requires go >=", "must match format", "unknown directive: tool")
    ):  # the last two are what Go before 1.21 says
        return "install a newer Go, or use --source official"
    if any(sign in text for sign in ("dial tcp", "no such host", "i/o timeout", "connection refused", "proxyconnect")):
        return "the Go module proxy was not reached: look at GOPROXY, or use a directory"
    if "no space left" in text:
        return "make room: go env GOCACHE GOMODCACHE say where it writes"
    return "run it again with --debug and look at the log"
