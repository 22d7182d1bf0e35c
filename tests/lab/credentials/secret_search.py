"""Runs on a host as root. `collect`: pieces of its secrets, one "kind piece" per line.

`search`: the places where the pieces on standard input (JSON) appear.

A piece is the middle part of a key, so that neither headers nor common prefixes match.
"""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

OWN = ("/etc/rancherctl", "/var/lib/rancherctl", "/var/lib/kubelet/pki", "/run/rancherctl")
READABLE = ("/etc", "/var", "/run", "/tmp", "/opt", "/root", "/home")
BIG = 8 << 20
# Pod volumes belong to the pods; overlay layers are files of images.
APART = (
    "/var/lib/kubelet/pods",
    "/var/lib/containerd",
    "/run/containerd",
    "/var/lib/apt",
    "/var/cache",
    "/run/systemd/inaccessible",
)
PEM = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+(.+?)\s+-----END", re.S)
WORDS = re.compile(r"\bsecret:?\s+\"?([A-Za-z0-9+/=]{24,})\"?")


def files(roots):
    for root in roots:
        for folder, names, found in os.walk(root):
            names[:] = [n for n in names if not f"{folder}/{n}".startswith(APART)]
            for name in found:
                path = Path(folder, name)
                try:
                    status = path.lstat()
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_size < BIG:
                    yield path, stat.S_IMODE(status.st_mode)


def text(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def reachable(path):
    """Whether other users may traverse all parent folders."""
    try:
        return all(parent.stat().st_mode & 0o001 for parent in path.parents)
    except FileNotFoundError:  # deleted since it was listed
        return False


def collect():
    for path, _ in files(OWN):
        content = text(path)
        for body in PEM.findall(content):
            lines = body.split()
            print("key", lines[len(lines) // 2])
        for word in WORDS.findall(content):
            print("secret", word)


def search(needles):
    def holds(content):
        return any(n in content for n in needles)

    for path, mode in files(READABLE):
        if mode & 0o004 and reachable(path):
            content = text(path)
            if holds(content) or (PEM.search(content) and str(path).startswith(OWN)):
                print(f"readable file {path} {mode:o}")
    for path, _ in files(("/var/log",)):
        if holds(text(path)):
            print(f"log {path}")
    journal = subprocess.run(
        ["journalctl", "--no-pager", "-q", "-o", "cat"], capture_output=True, check=True, timeout=300
    )
    if holds(journal.stdout.decode(errors="replace")):
        print("journal")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and holds(text(folder / "cmdline")):
            print(f"argv {text(folder / 'cmdline')[:80]}")


if sys.argv[1] == "collect":
    collect()
else:
    search(json.load(sys.stdin))
