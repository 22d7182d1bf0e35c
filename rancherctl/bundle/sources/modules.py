"""The ``modules`` source: the same versions built from pinned Go modules, cached outside the tree by what they depend on."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rancherctl.bundle.sources.base import Found, check_arch_of
from rancherctl.bundle.sources.gobuild import Recipe, recipes, testweb
from rancherctl.bundle.versions import Versions
from rancherctl.errors import NotFoundError, RancherctlError, TimeoutExceededError
from rancherctl.events import Emit, Event

PHASE: Final = "build"
BUILD_LIMIT: Final = 3600.0
"""Seconds for one component; a cold build of Kubernetes on two cores takes 4 to 7 minutes."""
_TAIL: Final = 12

Run = Callable[[list[str], Path, float, Callable[[str], None]], int]
"""Run argv in a directory with a limit in seconds, give each line of its output on; the exit code."""


def collect(versions: Versions, arch: str, cache: Path, emit: Emit, *, run: Run | None = None) -> tuple[Found, ...]:
    """Build what is not in ``cache/builds`` yet. Raises RancherctlError when Go is missing or a build fails."""
    found: list[Found] = []
    for recipe in recipes(versions):
        folder = build(recipe, arch, cache, emit, run=run)
        found += [Found(recipe.component, recipe.version, name, folder / name) for name in recipe.names]
    return tuple(found)


def build_testweb(arch: str, cache: Path, emit: Emit) -> Path:
    """The test web server's program."""
    return build(testweb(), arch, cache, emit) / "testweb"


def build(recipe: Recipe, arch: str, cache: Path, emit: Emit, *, run: Run | None = None) -> Path:
    """The directory with the programs of one recipe; one process builds, others wait for it and take its result."""
    from filelock import FileLock, Timeout

    if not (recipe.module / "go.mod").is_file():
        raise NotFoundError(
            f"{recipe.component} {recipe.version} cannot be built here: no pinned module for it",
            hint="use --source official or a directory",
        )
    go = find_go()
    key = recipe.key(arch, go_version(go))
    folder = cache / "builds" / f"{recipe.component}-{recipe.version}-{arch}-{key}"
    if folder.is_dir():
        emit(Event(PHASE, "already built", recipe.component, "done"))
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{folder}.lock", timeout=BUILD_LIMIT):
            if not folder.is_dir():
                _build_into(folder, recipe, arch, go, emit, run or run_streaming)
    except Timeout as error:
        raise TimeoutExceededError(f"another process has been building {recipe.component} for {BUILD_LIMIT:.0f} s", why=f"it holds {folder}.lock") from error
    return folder


def find_go() -> str:
    """The ``go`` command's path. Raises NotFoundError."""
    go = shutil.which("go")
    if go is None:
        raise NotFoundError("no Go here", why="--source modules compiles the programs", hint="install Go 1.26 or newer, or use --source official or a directory")
    return go


def go_version(go: str) -> str:
    """The toolchain's version, for example ``go1.26.8``."""
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RancherctlError(f"{go} does not run", why=done.stderr.strip())
    return done.stdout.strip()


def _build_into(folder: Path, recipe: Recipe, arch: str, go: str, emit: Emit, run: Run) -> None:
    out = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    emit(Event(PHASE, f"go build {recipe.version} for linux/{arch}", recipe.component, "started"))
    began, lines, compiled = time.monotonic(), list[str](), 0

    def on_line(line: str) -> None:
        nonlocal compiled
        lines.append(line)
        compiled += 1
        if compiled % 100 == 0:
            emit(Event(PHASE, f"{compiled} packages compiled or fetched, now {line.split()[-1] if line.split() else line}", recipe.component, "progress"))

    code = run(recipe.command(go, arch, out), recipe.module, BUILD_LIMIT, on_line)
    if code:
        emit(Event(PHASE, "go build failed", recipe.component, "failed", "error"))
        # Names of compiled packages have neither spaces nor colons, messages of the compiler have both.
        told = [line for line in lines if " " in line][-_TAIL:] or lines[-_TAIL:]
        raise RancherctlError(f"go build of {recipe.component} {recipe.version} failed with exit code {code}", why=" | ".join(told), hint=_hint(told))
    _finish(out, folder, recipe, arch)
    emit(Event(PHASE, f"built in {time.monotonic() - began:.0f} s", recipe.component, "done"))


def _finish(out: Path, folder: Path, recipe: Recipe, arch: str) -> None:
    for file in list(out.iterdir()):
        file.chmod(0o755)
        file.rename(out / recipe.final_name(file.name))
    missing = [name for name in recipe.names if not (out / name).is_file()]
    if missing:
        raise RancherctlError(f"go build of {recipe.component} did not make {', '.join(missing)}", hint=f"look at the tool lines of {recipe.module / 'go.mod'}")
    check_arch_of([out / name for name in recipe.names], arch, where=recipe.component)
    out.rename(folder)


def _hint(lines: list[str]) -> str:
    text = " ".join(lines)
    if "requires go >=" in text:
        return "install a newer Go, or use --source official"
    if any(word in text for word in ("dial tcp", "no such host", "timeout", "connection refused", "proxyconnect")):
        return "the Go module proxy was not reached: look at GOPROXY, or use a directory"
    return "no space left? go env GOCACHE GOMODCACHE say where it writes" if "no space left" in text else "run it again with --debug and look at the log"


def run_streaming(argv: list[str], folder: Path, limit: float, on_line: Callable[[str], None]) -> int:
    """Run a command and hand on its output line by line; it is ended with its children when the limit passes or we are stopped."""
    import os
    import signal
    import threading

    process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line.rstrip())
        return process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout:
            process.stdout.close()
