"""Install uploaded .debs with apt, without network and without touching the host's lists, sources or caches."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote.aptget import apt_get, configure, reasons
from rancherctl.hosts.remote.run import has_program, last_lines

NOTHING = "/dev/null"


def resolve(request: dict[str, Any]) -> dict[str, Any]:
    """Simulate installing ``names`` from ``index``.

    Answer ``{"lines": apt's "Inst" lines, "refused": reasons or ""}``.

    Changes nothing: the index is in a temporary folder meanwhile.
    """
    if not has_program("apt-get"):
        raise disk.StepError("apt-get is not installed: packages of this system cannot be installed")
    folder = Path(tempfile.mkdtemp(prefix="rancherctl-", dir=disk.at("/run")))
    try:
        (folder / "Packages").write_text(request["index"], encoding="utf-8")
        done = apt_get("install", "-s", *_options(folder), "--with-source", str(folder / "Packages"), *request["names"])
    finally:
        shutil.rmtree(folder)
    if done.returncode != 0:
        return {"lines": [], "refused": reasons(done)}
    return {"lines": [line for line in done.stdout.splitlines() if line.startswith("Inst ")], "refused": ""}


def install(names: list[str], bundled: dict[str, Any]) -> None:
    """Install ``names`` from uploaded files, and remove these afterwards.

    ``bundled``: ``folder``, ``debs`` (``path``, ``sha256`` each).
    """
    debs = bundled["debs"]
    check(debs)
    scratch = Path(tempfile.mkdtemp(prefix="apt-", dir=disk.at(bundled["folder"])))
    scratch.chmod(0o1777)  # package scripts may use it as another user
    try:
        words = [
            *_options(scratch),
            *(word for deb in debs for word in ("--with-source", str(disk.at(deb["path"])))),
            *names,
        ]
        done = apt_get("install", *words, scratch=str(scratch))
        if done.returncode != 0:
            repaired = configure()
            done = apt_get("install", *words, scratch=str(scratch))
            if done.returncode != 0:
                also = f"; dpkg --configure -a: {last_lines(repaired, 2)}" if repaired.returncode != 0 else ""
                raise disk.StepError(f"apt-get install from the bundle's packages: {reasons(done)}{also}")
    finally:
        shutil.rmtree(scratch)
    remove_uploaded(bundled)


def remove_uploaded(bundled: dict[str, Any] | None) -> None:
    """Remove uploaded files that are no longer needed."""
    if bundled is not None and disk.at(bundled["folder"]).is_dir():
        shutil.rmtree(disk.at(bundled["folder"]))


def check(debs: list[dict[str, str]]) -> None:
    """Check every file against the bundle's manifest.

    A wrong one is removed, so that the next run uploads it again.
    """
    wrong = []
    for deb in debs:
        place = disk.at(deb["path"])
        found = disk.sha256(place) if place.is_file() else "nothing"
        if found != deb["sha256"]:
            wrong.append(f"{place.name} has the hash {found[:12]}, the bundle's manifest says {deb['sha256'][:12]}")
            place.unlink(missing_ok=True)
    if wrong:
        raise disk.StepError(
            f"{'; '.join(wrong)}: damaged in transfer or in the bundle (check with: rancherctl bundle verify)"
        )


def _options(scratch: Path) -> tuple[str, ...]:
    """Options that let apt know only the installed packages and the given ones, and remove nothing."""
    lists, archives = scratch / "lists", scratch / "archives"
    for place in (lists, archives):
        (place / "partial").mkdir(parents=True, exist_ok=True)
    values = {
        "Dir::Etc::sourcelist": NOTHING,
        "Dir::Etc::sourceparts": NOTHING,
        "Dir::Etc::preferences": NOTHING,
        "Dir::Etc::preferencesparts": NOTHING,
        "Dir::State::lists": f"{lists}/",
        "Dir::Cache::archives": f"{archives}/",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    return (
        "--no-install-recommends",
        "--no-remove",
        "--fix-broken",
        *(word for name, value in values.items() for word in ("-o", f"{name}={value}")),
    )


OPERATIONS = {"resolve": resolve}
