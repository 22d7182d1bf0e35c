"""Set up the working tree: packages, virtual environment; with --lab also a lab's root tree and the bundle. Skips what is there.

Runs on the system's Python (3.11 or newer) with the standard library only. Each step says what it does and how long it took.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
DAEMONS = {"haproxy": ("haproxy.service",), "bind9": ("named.service",)}
INOTIFY = 512
POLICY = Path("/usr/sbin/policy-rc.d")
LISTS = Path("/var/lib/apt/lists/lock")
LOCK = Path("/run/rancherctl-setup.lock")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def step(title: str, action: Callable[[], None]) -> None:
    began = time.monotonic()
    say(f"{title} …")
    action()
    say(f"{title}: {time.monotonic() - began:.1f} s")


def wanted_packages() -> list[str]:
    lines = (ROOT / "scripts" / "packages.txt").read_text(encoding="utf-8").splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


def missing_packages() -> list[str]:
    names = wanted_packages()
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names], capture_output=True, text=True, check=False, timeout=60
    )
    there = {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in there]


@contextlib.contextmanager
def no_daemons(packages: list[str]) -> Iterator[None]:
    """haproxy and named must not start, now or at boot: tests run their own on loopback. Masks their units; a policy refuses starts meanwhile."""
    units = [unit for name in packages for unit in DAEMONS.get(name, ())]
    for unit in units:
        link = Path("/etc/systemd/system") / unit
        if not link.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/dev/null")
            say(f"masked {unit} (undo: systemctl unmask {unit})")
    ours = bool(units) and not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink()


def wait_for_lists(lock: Path = LISTS) -> None:
    """Until nobody fetches package lists, as a fresh machine does at boot: apt waits for dpkg's lock and gives up at once at this one."""
    if lock.exists():
        with lock.open("r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX)


@contextlib.contextmanager
def alone(lock: Path = LOCK) -> Iterator[None]:
    """One setup at a time installs packages: that of another working tree is waited for."""
    with lock.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install(packages: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    with no_daemons(packages):
        wait_for_lists()
        subprocess.run([*apt, "update"], check=True, env=env, timeout=900, stdout=subprocess.DEVNULL)
        subprocess.run([*apt, "install", "-y", "--no-install-recommends", *packages], check=True, env=env, timeout=1800, stdout=subprocess.DEVNULL)


def packages() -> None:
    if shutil.which("dpkg-query") is None:
        say(f"no dpkg here: install by hand what is missing of: {', '.join(wanted_packages())}")
        return
    if not missing_packages():
        say("packages: there already")
        return
    if os.geteuid() != 0:
        sys.exit(f"setup: packages are missing; as root: apt-get install {' '.join(missing_packages())}")
    with alone():
        if absent := missing_packages():
            step(f"install {', '.join(absent)}", lambda: install(absent))


def environment() -> None:
    stamp = VENV / ".rancherctl-stamp"
    key = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
        say("virtual environment: there already")
        return

    def build() -> None:
        if not (VENV / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, timeout=300)
        pip = [str(VENV / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "-e", f"{ROOT}[dev]"]
        subprocess.run(pip, check=True, timeout=1800)
        stamp.write_text(key, encoding="utf-8")

    step("virtual environment .venv", build)


def inotify() -> None:
    """Room for two environments of four lab hosts at once: about 70 instances each, where Linux allows all of root 128."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if not limit.exists() or (have := int(limit.read_text(encoding="ascii"))) >= INOTIFY:
        return
    try:
        limit.write_text(f"{INOTIFY}\n", encoding="ascii")
    except OSError as error:
        say(f"fs.inotify.max_user_instances stays {have} ({error.strerror}): run one lab at a time")
    else:
        say(f"fs.inotify.max_user_instances is {INOTIFY} until the next boot (undo: sysctl -w fs.inotify.max_user_instances={have})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", metavar="TREES", default="", help="also the bundle and these root trees of lab hosts: OS:VARIANT,…")
    args = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036  (the one script that an older system Python may meet)
        sys.exit("setup: Python 3.11 or newer is needed")
    packages()
    environment()
    if args.lab:
        inotify()
        subprocess.run([str(VENV / "bin" / "python"), str(ROOT / "scripts" / "prepare.py"), "--trees", args.lab], check=True, timeout=3600)


main()
