"""Errors of DNS servers in words: what was refused, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from rancherctl.errors import AuthError, ConflictError, RancherctlError, UnreachableError
from rancherctl.federation.providers.base import ZoneMissingError
from rancherctl.federation.providers.tsig import TsigKey
from rancherctl.net import join_host_port, parse_port, split_host_port

T = TypeVar("T")
PORT: Final = 53
TRANSFER: Final = "a transfer"


class ServerError(RancherctlError):
    """The server answered with an error, or with something that is not an answer."""

    retryable = True


class UnansweredError(UnreachableError):
    """A message was sent but not answered: a write may have been carried out."""


class TransferRefusedError(AuthError):
    """The server refuses to list the zone."""


@dataclass(frozen=True, slots=True)
class Server:
    """A DNS server as settings name it: ``host`` is a name or an address."""

    host: str
    port: int = PORT

    @classmethod
    def parse(cls, text: str) -> Server:
        """``HOST[:PORT]``; an unusable port is 53 (settings are checked before)."""
        host, port = split_host_port(text)
        return cls(host, (parse_port(port) if port else None) or PORT)

    def __str__(self) -> str:
        return join_host_port(self.host, self.port) if self.port != PORT else self.host


def words(error: OSError) -> str:
    """One line for an error of a socket."""
    return error.strerror or str(error) or type(error).__name__


def clock_error(server: Server) -> AuthError:
    """The server does not accept the time in a signature."""
    return AuthError(
        f"DNS server {server} refuses the time of the signature",
        why="its clock and this host's differ by more than 300 s",
        hint="set both clocks, for example with chrony",
    )


def refusal(server: Server, zone: str, rcode: str, what: str, key: TsigKey | None) -> RancherctlError:
    """The error for a response code; ``what`` was asked for: ``updates``, ``queries`` or TRANSFER."""
    signed = f"key {key.name}" if key else "unsigned requests"
    plain = zone.removesuffix(".")
    if rcode == "NOTAUTH":
        return ZoneMissingError(
            f"DNS server {server} does not serve zone {plain}",
            hint="create the zone there, or check zone and servers in spec.federation",
        )
    if rcode == "REFUSED":
        if what == TRANSFER:
            hint = f"allow it for {signed} (allow-transfer in BIND)"
            return TransferRefusedError(f"DNS server {server} refuses a transfer of zone {plain}", hint=hint)
        statement = "update-policy or allow-update" if what == "updates" else "allow-query"
        return AuthError(
            f"DNS server {server} refuses {what} of zone {plain}", hint=f"allow it for {signed} ({statement} in BIND)"
        )
    if rcode in ("NXRRSET", "YXRRSET", "NXDOMAIN", "YXDOMAIN"):
        return ConflictError(f"zone {plain} has changed since it was read", why=f"the server answered {rcode}")
    hint = {
        "SERVFAIL": "see the server's log: the zone may not be loaded, or its files may not be writable",
        "NOTIMP": "use a server that supports dynamic updates (RFC 2136)",
    }.get(rcode, "see the server's log")
    return ServerError(f"DNS server {server} answered {rcode} to {what} of zone {plain}", hint=hint)


def first_that_works(servers: Sequence[Server], act: Callable[[Server], T]) -> T:
    """Call ``act`` for one server after the other until one works.

    Only errors after which nothing was sent, or refusals, lead to the next server. If none works, the first error is
    raised: it is that of the server that is meant to be used.
    """
    first: RancherctlError | None = None
    for server in servers:
        try:
            return act(server)
        except UnansweredError:
            raise
        except (UnreachableError, AuthError, ZoneMissingError, ServerError) as error:
            first = first or error
    if first is None:
        raise ServerError("no DNS server is configured", hint="set spec.federation.servers")
    raise first
