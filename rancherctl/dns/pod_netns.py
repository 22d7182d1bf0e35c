"""Run a function in the network namespace of a pod on this host: its queries take the path of the pod's own."""

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
"""Where container runtimes keep a handle for each pod's network namespace."""
_CLONE_NEWNET = 0x40000000


def run_in_netns(address: str, function: Callable[[], T], networks: Path = NETWORKS) -> T:
    """Run ``function`` in the network namespace with this address: a pod's, else the host's (for pods that share it).

    Returns its result; raises NotFoundError if no namespace has the address. Each attempt runs in a thread of its own,
    because a thread that has entered a pod's namespace cannot be used for anything else.
    """

    def attempt(handle: Path | None) -> tuple[T] | None:
        if (handle is None or _enter(handle)) and _is_here(address):
            return (function(),)
        return None

    handles: list[Path | None] = [*sorted(networks.iterdir())] if networks.is_dir() else []
    for handle in [*handles, None]:
        with ThreadPoolExecutor(1, thread_name_prefix="netns") as thread:
            found = thread.submit(attempt, handle).result()
        if found is not None:
            return found[0]
    raise NotFoundError(
        f"no network namespace on this host has the address {address}",
        hint="the pod may have ended or moved; try again",
    )


def _enter(handle: Path) -> bool:
    """Move this thread into a network namespace; False if the handle has none, as an ended pod may leave it."""
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
    raise RancherctlError(f"cannot enter the network namespace {handle}", why=os.strerror(number))


def _is_here(address: str) -> bool:
    """Whether this namespace has the address: only its own addresses can be bound."""
    family = socket.AF_INET6 if names.address(address)[1] == "AAAA" else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise
        return False
    return True
