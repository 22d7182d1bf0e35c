"""apt with a root of its own: resolves against an empty system, verifies and fetches; the machine is untouched."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rancherctl.bundle.distribution import archives
from rancherctl.bundle.distribution.programs import run
from rancherctl.bundle.distribution.systems import HAVE, SUITES, WANTED
from rancherctl.errors import NotFoundError, RancherctlError, UsageError

FETCH_LIMIT: Final = 900.0
"""Seconds; a slow mirror, not a slow machine."""
OPTION: Final = "--apt-mirror"


def collect(system: str, arch: str, mirror: str, work: Path, folder: Path) -> None:
    """Fetch into ``folder`` all .debs that ``WANTED`` needs on ``system`` beyond a minimal host; ``work``: scratch.

    UsageError without apt or Debian sources, NotFoundError without Debian's keys, RancherctlError with apt's message.
    """
    if shutil.which("apt-get") is None:
        raise UsageError(
            f"packages of {system} cannot be collected here",
            why="apt-get is not installed on this machine",
            hint=f"create the bundle on a Debian machine, or pass collected .debs: --packages {system}=DIR",
        )
    if not archives.KEYRING.is_file():
        why = f"{archives.KEYRING} is missing: signatures could not be checked"
        raise NotFoundError(
            "Debian's keys are not on this machine", why=why, hint="apt-get install debian-archive-keyring"
        )
    found = archives.below(mirror) if mirror else archives.archives(option=OPTION)
    config = _root(work, arch, [archive.line(SUITES[system]) for archive in found], archives.options())
    try:
        _apt(config, "update", timeout=FETCH_LIMIT)
        without = parse_installs(_apt(config, "-s", "--no-install-recommends", "install", *HAVE))
        whole = parse_installs(_apt(config, "-s", "--no-install-recommends", "install", *HAVE, *WANTED))
        missing = sorted(f"{name}={version}" for name, version in whole.items() if name not in without)
        _apt(config, "download", *missing, timeout=FETCH_LIMIT, cwd=folder)
    except RancherctlError as error:
        hint = error.hint or f"is the mirror reachable and complete? {OPTION} URL names another one"
        raise RancherctlError(f"packages of {system} cannot be collected", why=str(error), hint=hint) from error


def parse_installs(text: str) -> dict[str, str]:
    """Name → version of what ``apt-get -s install`` says that it would install. Pure."""
    out = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] == "Inst":
            out[words[1].partition(":")[0]] = next(word[1:] for word in words[2:] if word.startswith("("))
    return out


def _root(work: Path, arch: str, lines: Sequence[str], carried: Sequence[str]) -> Path:
    """A root for apt: nothing installed, our sources, no hooks of the machine. APT_CONFIG names its configuration."""
    for name in (
        "etc/apt.conf.d",
        "etc/preferences.d",
        "etc/sources.list.d",
        "state/lists/partial",
        "cache/archives/partial",
    ):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    (work / "etc/sources.list").write_text("".join(f"{line}\n" for line in lines))
    config = work / "apt.conf"
    # As root, apt would fetch as the user _apt, who cannot enter folders of root's home; signatures are checked anyway.
    config.write_text(
        f"""Dir::Etc "{work}/etc/";
Dir::Etc::main "none";
Dir::Etc::parts "apt.conf.d";
Dir::State "{work}/state/";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache/";
Dir::Log "{work}";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
"""
        + "".join(f"{line}\n" for line in carried)
    )
    return config


def _apt(config: Path, *words: str, timeout: float = 60.0, cwd: Path | None = None) -> str:
    return run(
        ("apt-get", "-q", *words),
        timeout=timeout,
        cwd=cwd,
        extra={"APT_CONFIG": str(config), "DEBIAN_FRONTEND": "noninteractive"},
    )
