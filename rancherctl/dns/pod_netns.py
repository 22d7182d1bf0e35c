"""Doing something inside the network of a pod on this host: what is asked from there goes the way that the pod's own questions go."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from rancherctl.dns import names
from rancherctl.errors import NotFoundError, RancherctlError

T = TypeVar("T")
NETWORKS = Path("/run/netns")
"""Where container runtimes keep a handle of each pod's network."""
_CLONE_NEWNET = 0x40000000


def run_in_netns(address: str, function: Callable[[], T], networks: Path = NETWORKS) -> T:
    """What ``function`` returns in the network that has this address: a pod's, else the host's (pods may share it). NotFoundError if none has.

    It runs in a thread of its own: threads may each be in another network, and one that has entered a pod's is not used again.
    """

    def attempt(handle: Path | None) -> tuple[T] | None:
        if (handle is None or _enter(handle)) and _is_here(address):
            return (function(),)
        return None

    handles: list[Path | None] = [*sorted(networks.iterdir())] if networks.is_dir() else []
    for handle in [*handles, None]:
        with ThreadPoolExecutor(1, thread_name_prefix="inside") as thread:
            found = thread.submit(attempt, handle).result()
        if found is not None:
            return found[0]
    raise NotFoundError(
        f"no network on this host has the address {address}", hint="has the pod ended or moved meanwhile? ask again"
    )


def _enter(handle: Path) -> bool:
    """Bring this thread into a network; False for a handle without one, as an ended pod may leave it."""
    import ctypes  # os.setns came with Python 3.12

    try:
        descriptor = os.open(handle, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # the pod has just ended
        return False
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) == 0:
            return True
    finally:
        os.close(descriptor)
    number = ctypes.get_errno()
    if number == errno.EINVAL:
        return False
    raise RancherctlError(f"cannot enter the network {handle}", why=os.strerror(number))


def _is_here(address: str) -> bool:
    """Whether the address is one of this network's: only such a one can be bound to."""
    family = socket.AF_INET6 if names.address(address)[1] == "AAAA" else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise
        return False
    return True
