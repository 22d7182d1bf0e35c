"""What a host is and what it should look like, as frozen values. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["etcd", "controlplane", "worker"]
ROLES: tuple[Role, ...] = ("etcd", "controlplane", "worker")


@dataclass(frozen=True, slots=True)
class SshAddress:
    """How a host is reached: what the user gave; ``ssh -G`` fills in the rest. ``port`` 0 means not given."""

    host: str
    user: str = ""
    port: int = 0
    identity: str = ""
    config: str = ""
    """Path of an ssh_config file to use instead of the user's own ("" = the user's own)."""
    known_hosts: str = ""
    jump: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of an environment. ``address`` is its address inside (InternalIP), ``public_address`` what clients use ("" = none)."""

    name: str
    address: str
    roles: frozenset[Role]
    ssh: SshAddress
    public_address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def is_a(self, role: Role) -> bool:
        """Whether the host has the role."""
        return role in self.roles


@dataclass(frozen=True, slots=True)
class Deb:
    """A package's file in the bundle: ``source`` on the operator's machine, ``file`` its plain name on the host, ``size`` in bytes."""

    version: str
    file: str
    source: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution package that must be installed; ``mask`` names its units that are masked before it is installed.

    ``deb`` is where it comes from if it is missing; None = apt's own mirrors. ``dependency_only``: it is there only because others need it, in
    just that version.
    """

    name: str
    mask: tuple[str, ...] = ()
    deb: Deb | None = None
    dependency_only: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file with this content; ``secret`` content is never shown in plans. ``owner`` is ``user:group``. Written by temp + fsync + rename."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False

    def __repr__(self) -> str:
        import hashlib

        return f"File({self.path!r}, sha256={hashlib.sha256(self.content).hexdigest()}, mode={self.mode:o}, owner={self.owner!r})"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that must exist with this mode and owner.

    ``written``: names of files in it that the owner writes. One that exists already must belong to the owner, too; its content stays.
    """

    path: str
    mode: int = 0o755
    owner: str = "root:root"
    written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, replaced atomically."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class User:
    """A system user (and group of the same name) without login."""

    name: str
    home: str = "/nonexistent"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file of the bundle: local source, absolute remote path, content hash; checked on the host once and stamped."""

    path: str
    source: Path
    sha256: str
    size: int
    mode: int = 0o755
    component: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit of ours that is enabled and running (``active``) or stopped.

    Its text is a File resource of its own. ``restart_on``: a change of any of these paths restarts it; ``reload_on``: reloads it.
    ``makes``: files outside /var and /run that it makes once it runs, for plans to name.
    """

    name: str
    enabled: bool = True
    active: bool = True
    restart_on: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """A path of ours that must not exist (files of an older version). Never a foreign path."""

    path: str


Resource = Package | User | Directory | File | Link | Artefact | Unit | Absent


def key(resource: Resource) -> str:
    """The resource's sort and identity key: kind order first (packages before users before files before units)."""
    order = {Package: 0, User: 1, Directory: 2, Artefact: 3, File: 4, Link: 5, Absent: 6, Unit: 7}
    place = resource.path if isinstance(resource, (File, Directory, Link, Artefact, Absent)) else resource.name
    return f"{order[type(resource)]}/{type(resource).__name__.lower()}/{place}"
