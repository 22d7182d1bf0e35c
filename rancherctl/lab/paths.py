"""Where a lab keeps its files. Pure: names only, nothing is created here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rancherctl.lab.model import check_name

STATE_ROOT = Path("/var/lib/rancherctl-lab")
CACHE_ROOT = Path("/var/cache/rancherctl")
NETNS_ROOT = Path("/run/netns")
LINKS_ROOT = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class Roots:
    """``state`` holds a folder per lab, ``cache`` the root trees that labs share."""

    state: Path = STATE_ROOT
    cache: Path = CACHE_ROOT

    @property
    def trees(self) -> Path:
        """Finished root trees, one folder each; also their lock files."""
        return self.cache / "trees"

    @property
    def lock(self) -> Path:
        """Held while subnets are given out."""
        return self.state / ".lock"

    def lab(self, name: str) -> LabPaths:
        """The paths of one lab; UsageError for an invalid name, such as one that leads out of ``state``."""
        return LabPaths(self.state / check_name(name))


@dataclass(frozen=True, slots=True)
class LabPaths:
    """Files of one lab below ``root``."""

    root: Path

    @property
    def state(self) -> Path:
        """The lab's description; written before anything else is created, removed last."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held while the lab is changed. Beside the folder, so that it outlives its removal."""
        return self.root.parent / f".{self.root.name}.lock"

    @property
    def key(self) -> Path:
        """The private key that opens root and ops on every host of the lab."""
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Host keys of the lab, by name and by address."""
        return self.root / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``: the hosts by name."""
        return self.root / "ssh_config"

    @property
    def hosts(self) -> Path:
        """One folder per host."""
        return self.root / "hosts"

    def host(self, name: str) -> HostPaths:
        """The paths of one host."""
        return HostPaths(self.hosts / name)


@dataclass(frozen=True, slots=True)
class HostPaths:
    """Files of one host below ``root``."""

    root: Path

    @property
    def upper(self) -> Path:
        """What the host changed on top of the tree."""
        return self.root / "upper"

    @property
    def work(self) -> Path:
        """The overlay's scratch folder."""
        return self.root / "work"

    @property
    def mount(self) -> Path:
        """Where the overlay is mounted, in the host's own mount namespace only."""
        return self.root / "root"

    @property
    def var_lib(self) -> Path:
        """/var/lib of the host, plain: containerd's snapshots cannot lie on an overlay."""
        return self.root / "var-lib"

    @property
    def keys(self) -> Path:
        """The host's ssh host key."""
        return self.root / "keys"

    @property
    def console(self) -> Path:
        """What the host's init printed."""
        return self.root / "console.log"

    @property
    def run(self) -> Path:
        """The process of the running host: pid and start time."""
        return self.root / "run.json"

    @property
    def ready(self) -> Path:
        """Marks a clone that is complete."""
        return self.root / "cloned"
