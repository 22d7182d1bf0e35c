"""Which package archives the machine itself uses: packages of another release come from the same mirrors.

The parsers are pure; ``archives`` and ``options`` ask apt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rancherctl.bundle.distribution.programs import run
from rancherctl.errors import UsageError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TARGETS = (
    "apt-get",
    "indextargets",
    "--format",
    "$(ORIGIN)|$(CODENAME)|$(RELEASE)|$(REPO_URI)|$(COMPONENT)",
    "Created-By: Packages",
)
# Options of the machine's apt that decide how a mirror is reached and believed.
CARRIED = (
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Retries",
)


@dataclass(frozen=True, slots=True)
class Archive:
    """One line of sources: ``pocket`` is "", "-updates" or "-security" after the release's code name."""

    uri: str
    pocket: str

    def line(self, suite: str, keyring: Path = KEYRING) -> str:
        """The line for another release, in the one-line format of sources.list."""
        return f"deb [signed-by={keyring}] {self.uri} {suite}{self.pocket} main"


def parse_targets(text: str) -> tuple[Archive, ...]:
    """Debian's own archives out of the printed TARGETS, the main one first."""
    found: dict[Archive, None] = {}
    for line in text.splitlines():
        origin, _codename, release, uri, component = line.split("|")
        if origin != "Debian" or component != "main":
            continue
        pocket = f"-{release.partition('-')[2]}" if "-" in release else ""
        if pocket in {"", "-updates", "-security"}:
            found[Archive(uri.rstrip("/"), pocket)] = None
    return tuple(sorted(found, key=lambda archive: (archive.pocket, archive.uri)))


def parse_options(text: str) -> tuple[str, ...]:
    """CARRIED lines out of ``apt-config dump``; empty values say nothing."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line.startswith(CARRIED) and not line.endswith(' "";'))


def archives(mirror: str = "", *, option: str = "--mirror") -> tuple[Archive, ...]:
    """The machine's archives, or only ``mirror`` if given; UsageError if the machine has no Debian sources.

    ``option`` is what the user may give a mirror with.
    """
    if mirror:
        return (Archive(mirror.rstrip("/"), ""),)
    found = parse_targets(run(TARGETS))
    if not any(archive.pocket == "" for archive in found):
        raise UsageError(
            "no Debian package archive to take packages from",
            why="the machine's apt sources list none, or apt-get update never ran",
            hint=f"run apt-get update, or name one with {option} URL",
        )
    return found


def below(mirror: str) -> tuple[Archive, ...]:
    """All three archives at a mirror laid out like Debian's: ``URL``, its updates, and always ``URL-security``."""
    base = mirror.rstrip("/")
    return (Archive(base, ""), Archive(f"{base}-security", "-security"), Archive(base, "-updates"))


def options() -> Sequence[str]:
    """apt options of the machine worth carrying over (proxies, retries, clock checks)."""
    return parse_options(run(("apt-config", "dump")))
