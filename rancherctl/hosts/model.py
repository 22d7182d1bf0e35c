"""Hosts and their desired resources as frozen values. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["etcd", "controlplane", "worker"]
ROLES: tuple[Role, ...] = ("etcd", "controlplane", "worker")
SshClient = Literal["auto", "paramiko", "openssh"]
SSH_CLIENTS: tuple[SshClient, ...] = ("auto", "paramiko", "openssh")
"""``auto`` decides for each host by its ssh configuration (hosts.ssh_choice)."""


@dataclass(frozen=True, slots=True)
class SshAddress:
    """How to reach a host, as given by the user; ``ssh -G`` completes it. ``port`` 0 means not given."""

    host: str
    user: str = ""
    port: int = 0
    identity: str = ""
    config: str = ""
    """Path of an ssh_config file to use instead of the user's own ("" = the user's own)."""
    known_hosts: str = ""
    jump: str = ""
    client: SshClient = "auto"


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of an environment.

    ``address`` is its InternalIP, ``public_address`` the address for clients ("" = none).
    """

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
    """A package file of the bundle.

    ``source`` is the local path, ``file`` its name on the host, ``size`` in bytes.
    """

    version: str
    file: str
    source: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution package that must be installed; ``mask`` names units that are masked before.

    ``deb`` is its file in the bundle (None: install from apt's mirrors). ``dependency_only``: it is installed only
    because other packages depend on it, in exactly that version.
    """

    name: str
    mask: tuple[str, ...] = ()
    deb: Deb | None = None
    dependency_only: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file with this content, replaced atomically; ``owner`` is ``user:group``.

    Plans never show ``secret`` content.
    """

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False

    def __repr__(self) -> str:
        digest = hashlib.sha256(self.content).hexdigest()
        return f"File({self.path!r}, sha256={digest}, mode={self.mode:o}, owner={self.owner!r})"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that must exist with this mode and owner.

    ``written``: names of files in it that the owner writes. Existing ones get this owner, too; their content stays.
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
    """A file of the bundle: local source, absolute path on the host, content hash.

    Hashed on the host once, then known by stamp.
    """

    path: str
    source: Path
    sha256: str
    size: int
    mode: int = 0o755
    component: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit of rancherctl, enabled or not, running (``active``) or stopped.

    Its text is a File resource of its own.

    A change of any path in ``restart_on`` restarts it, in ``reload_on`` reloads it. ``makes``: files outside /var and
    /run that it creates once it runs, listed in plans.
    """

    name: str
    enabled: bool = True
    active: bool = True
    restart_on: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """A rancherctl path that must not exist (files of an older version); never somebody else's path."""

    path: str


Resource = Package | User | Directory | File | Link | Artefact | Unit | Absent


def key(resource: Resource) -> str:
    """Identity and sort key of a resource: by kind first (packages before users before files before units)."""
    order = {Package: 0, User: 1, Directory: 2, Artefact: 3, File: 4, Link: 5, Absent: 6, Unit: 7}
    place = resource.path if isinstance(resource, (File, Directory, Link, Artefact, Absent)) else resource.name
    return f"{order[type(resource)]}/{type(resource).__name__.lower()}/{place}"
