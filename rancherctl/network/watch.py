"""Wake the role when another program changes routes, addresses, links or nft tables (systemd-networkd drops routes)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

_ROUTE_GROUPS = 0x1 | 0x10 | 0x40
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE (linux/rtnetlink.h)."""
_NETLINK_ROUTE, _NETLINK_NETFILTER = 0, 12
_NFNLGRP_NFTABLES = 7
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_NFT_SUBSYSTEM = 10
_NFT_DELTABLE, _NFT_DELRULE = 2, 8
_TABLE = b"rancherctl_network\x00"
_PROXY_TABLE, _PROXY_CHAIN = b"kube-proxy\x00", b"services\x00"
COALESCE_SECONDS = 0.1


def _open(family: int, groups: int) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
    sock.bind((0, groups))
    return sock


def _nft_socket() -> socket.socket:
    sock = _open(_NETLINK_NETFILTER, 0)
    sock.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
    return sock


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, whole message) for every netlink message in a datagram."""
    at = 0
    while at + 16 <= len(datagram):
        length, kind = struct.unpack_from("=IH", datagram, at)
        yield kind, datagram[at : at + length]
        at += max(16, (length + 3) & ~3)


def is_relevant(datagram: bytes) -> bool:
    """Whether an nftables notification may concern our table or the loss of kube-proxy's basic rules.

    A short datagram cannot be judged and counts as relevant.
    """
    if len(datagram) < 16 or _TABLE in datagram:
        return True
    if _PROXY_TABLE not in datagram:
        return any(kind >> 8 != _NFT_SUBSYSTEM for kind, _ in _messages(datagram))
    return any(_PROXY_TABLE in message and _is_removal(kind, message) for kind, message in _messages(datagram))


def _is_removal(kind: int, message: bytes) -> bool:
    """Whether kube-proxy's table or a rule that leads to all Services was removed; its other changes are normal."""
    if kind >> 8 != _NFT_SUBSYSTEM:
        return False
    return kind & 0xFF == _NFT_DELTABLE or (kind & 0xFF == _NFT_DELRULE and _PROXY_CHAIN in message)


class NetlinkWatch:
    """Reads netlink sockets, each in a thread, and calls ``wake`` for relevant messages.

    ``routes``: also changes of routes, addresses and links; ``relevant`` selects the notifications of nftables.

    The first message wakes at once; all that follow within COALESCE_SECONDS count as one, so a program that changes a
    thousand routes does not cause a thousand checks.
    """

    def __init__(
        self, wake: Callable[[], None], *, routes: bool = True, relevant: Callable[[bytes], bool] = is_relevant
    ) -> None:
        self._wake = wake
        self._sockets = (*((_open(_NETLINK_ROUTE, _ROUTE_GROUPS),) if routes else ()), _nft_socket())
        self._stopped = threading.Event()
        filters: tuple[Callable[[bytes], bool], ...] = (*((lambda _: True,) if routes else ()), relevant)
        for sock, keep in zip(self._sockets, filters, strict=True):
            threading.Thread(target=self._read, args=(sock, keep), daemon=True, name="netlink").start()

    def _read(self, sock: socket.socket, keep: Callable[[bytes], bool]) -> None:
        while not self._stopped.is_set():
            message = _receive(sock, 0)
            if self._stopped.is_set() or message is None or not keep(message):
                continue
            self._wake()
            self._stopped.wait(COALESCE_SECONDS)
            relevant = False
            while not self._stopped.is_set() and (message := _receive(sock, socket.MSG_DONTWAIT)) is not None:
                relevant = relevant or keep(message)
            if relevant:
                self._wake()

    def close(self) -> None:
        """Stop both threads."""
        self._stopped.set()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _receive(sock: socket.socket, flags: int) -> bytes | None:
    """Read one datagram; b"" if messages were lost or the socket was closed, None if none is waiting."""
    try:
        return sock.recv(65536, flags)
    except BlockingIOError:
        return None
    except OSError:
        return b""
