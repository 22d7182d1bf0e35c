"""Set up the working tree: packages, virtual environment; with --lab also the bundle and the lab hosts' root trees.

Skips steps that are already done. Two runs at once, also in one tree, do each step once. Each step prints what it does
and how long it took. Runs on the system's Python (3.11 or newer) with the standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
DAEMONS = {
    "haproxy": ("haproxy.service",),
    "bind9": ("named.service",),
    "openssh-server": ("ssh.service", "ssh.socket"),
}
INOTIFY = 512
POLICY = Path("/usr/sbin/policy-rc.d")
OURS = "#!/bin/sh\n# made by rancherctl's setup, which removes it\nexit 101\n"
LISTS = Path("/var/lib/apt/lists/lock")
LOCK = Path("/run/rancherctl-setup.lock")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def step(title: str, action: Callable[[], None]) -> None:
    began = time.monotonic()
    say(f"{title} …")
    action()
    say(f"{title}: {time.monotonic() - began:.1f} s")


def wanted_packages(lines: list[str] | None = None) -> list[str]:
    """The packages of packages.txt; ``NAME unless PROGRAM`` is needed only if PROGRAM is not installed."""
    if lines is None:
        lines = (ROOT / "scripts" / "packages.txt").read_text(encoding="utf-8").splitlines()
    entries = [line.partition("#")[0].split() for line in lines]
    return [words[0] for words in entries if words and not (words[1:2] == ["unless"] and shutil.which(words[2]))]


def missing_packages() -> list[str]:
    names = wanted_packages()
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    there = {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in there]


@contextlib.contextmanager
def no_daemons(packages: list[str]) -> Iterator[None]:
    """Keep daemons from starting, now and at boot: tests run their own on loopback.

    Masks their units; until they are installed, a policy refuses to start services.
    """
    units = [unit for name in packages for unit in DAEMONS.get(name, ())]
    for unit in units:
        link = Path("/etc/systemd/system") / unit
        if not link.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/dev/null")
            say(f"masked {unit} (undo: systemctl unmask {unit})")
    ours = bool(units) and not POLICY.exists()
    try:
        if ours:
            POLICY.write_text(OURS, encoding="utf-8")
            POLICY.chmod(0o755)
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


def left_policy() -> bool:
    """Whether a setup that was killed left its policy behind, which would also keep other packages' services off."""
    return POLICY.is_file() and POLICY.read_text(encoding="utf-8", errors="replace") == OURS


def wait_for_lists(lock: Path = LISTS) -> None:
    """Wait for another process that fetches package lists, as a fresh machine does at boot.

    apt waits for dpkg's lock, but fails at once if this one is taken.
    """
    if lock.exists():
        with lock.open("r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX)


@contextlib.contextmanager
def exclusive(lock: Path = LOCK) -> Iterator[None]:
    """Let one setup run at a time; others wait. ``lock`` is a file, created if missing, or a folder."""
    handle = os.open(lock, os.O_RDONLY if lock.is_dir() else os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is running: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def install(packages: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    with no_daemons(packages):
        wait_for_lists()
        subprocess.run([*apt, "update"], check=True, env=env, timeout=900, stdout=subprocess.DEVNULL)
        subprocess.run(
            [*apt, "install", "-y", "--no-install-recommends", *packages],
            check=True,
            env=env,
            timeout=1800,
            stdout=subprocess.DEVNULL,
        )


def packages() -> None:
    if shutil.which("dpkg-query") is None:
        say(f"dpkg not found: install these packages yourself: {', '.join(wanted_packages())}")
        return
    if os.geteuid() == 0 and left_policy():
        with exclusive():
            POLICY.unlink(missing_ok=True)
    if not missing_packages():
        say("packages: already installed")
        return
    if os.geteuid() != 0:
        sys.exit(f"setup: packages are missing; as root: apt-get install {' '.join(missing_packages())}")
    with exclusive():
        if absent := missing_packages():
            step(f"install {', '.join(absent)}", lambda: install(absent))


def environment() -> None:
    stamp = VENV / ".rancherctl-stamp"
    key = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()

    def there() -> bool:
        return stamp.is_file() and stamp.read_text(encoding="utf-8") == key

    def build() -> None:
        python = str(VENV / "bin" / "python")
        if not has_pip(python):  # missing, incomplete after a killed setup, or made for a Python that was removed
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True, timeout=300)
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-e", f"{ROOT}[dev]"]
        subprocess.run(pip, check=True, timeout=1800)
        stamp.write_text(key, encoding="utf-8")

    if not there():
        with exclusive(ROOT):
            if not there():
                step("virtual environment .venv", build)
                return
    say("virtual environment: already up to date")


def has_pip(python: str) -> bool:
    try:
        return (
            subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False, timeout=60).returncode
            == 0
        )
    except OSError:
        return False


def inotify() -> None:
    """Allow two environments of four lab hosts at once: about 70 inotify instances each; Linux allows root 128."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if not limit.exists() or (have := int(limit.read_text(encoding="ascii"))) >= INOTIFY:
        return
    try:
        limit.write_text(f"{INOTIFY}\n", encoding="ascii")
    except OSError as error:
        say(f"fs.inotify.max_user_instances stays {have} ({error.strerror}): run one lab at a time")
    else:
        undo = f"sysctl -w fs.inotify.max_user_instances={have}"
        say(f"fs.inotify.max_user_instances is {INOTIFY} until the next boot (undo: {undo})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--lab", metavar="TREES", default="", help="also the bundle and these root trees of lab hosts: OS:VARIANT,…"
    )
    args = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036  (an older system Python may run this script)
        sys.exit("setup: Python 3.11 or newer is needed")
    if args.lab and (os.geteuid() != 0 or not sys.platform.startswith("linux")):
        sys.exit("setup: lab hosts need root on Linux")
    packages()
    environment()
    if args.lab:
        inotify()
        prepare = [str(VENV / "bin" / "python"), str(ROOT / "scripts" / "prepare.py"), "--trees", args.lab]
        sys.exit(subprocess.run(prepare, check=False, timeout=3600).returncode)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("setup: terminated"))
    try:
        main()
    except subprocess.CalledProcessError as failed:
        sys.exit(f"setup: exit code {failed.returncode} (its output is above): {shlex.join(map(str, failed.cmd))}")
    except subprocess.TimeoutExpired as slow:
        sys.exit(f"setup: no result within {slow.timeout:.0f} s: {shlex.join(map(str, slow.cmd))}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run it again to resume")
