"""Values of facts that have several fields. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiskFact:
    """The file system of a path: size and bytes free to root, device, mount point."""

    size: int
    free: int
    device: str
    mount: str


@dataclass(frozen=True, slots=True)
class AddressFact:
    """An address of an interface with its prefix length; ``family`` is 4 or 6, ``scope`` as in iproute2."""

    interface: str
    address: str
    prefix: int
    family: int
    scope: str


@dataclass(frozen=True, slots=True)
class RouteFact:
    """A route of the main table to ``destination`` (``default`` or a prefix); the other fields are "" if absent."""

    destination: str
    gateway: str
    interface: str
    protocol: str


@dataclass(frozen=True, slots=True)
class ListenerFact:
    """A listening socket: ``tcp`` or ``udp``, address (``*`` = all), port, process names (none if unknown)."""

    protocol: str
    address: str
    port: int
    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnitFact:
    """A unit that exists: ``active``/``inactive``/…, ``enabled``/``disabled``/``masked``/…"""

    active: str
    enabled: str


@dataclass(frozen=True, slots=True)
class SysctlFact:
    """A value under /proc/sys and whether it may be written."""

    value: str
    writable: bool
