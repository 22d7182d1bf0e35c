"""Provider ``rfc2136``: dynamic updates and zone transfers with TSIG, as BIND, Knot and PowerDNS offer them.

Every update requires the zone marker and the records as they were seen, so the server itself refuses a writer that is
out of date. NOERROR does not prove that an alias was added: servers leave it out silently beside other records
(RFC 2136 3.4.2.2), so the publisher reads such names back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rancherctl.errors import AuthError, ConflictError, UnreachableError
from rancherctl.federation.ownership import NameState, ZoneView, zone_view
from rancherctl.federation.providers import transfer, update
from rancherctl.federation.providers.base import (
    DONE,
    Capabilities,
    Fence,
    NameChange,
    Outcome,
    Result,
    ZoneInfo,
    ZoneMissingError,
)
from rancherctl.federation.providers.exchange import TIMEOUT, Exchange
from rancherctl.federation.providers.faults import (
    Server,
    ServerError,
    TransferRefusedError,
    UnansweredError,
    first_that_works,
)
from rancherctl.federation.providers.tsig import TsigKey

if TYPE_CHECKING:
    import dns.update


class Rfc2136Provider:
    """Satisfies ``base.DnsProvider``. ``zone`` is given without its final dot.

    ``servers`` take updates, in this order; ``transfer_servers`` () means the same ones. ``gate`` is called right
    before an update is sent.
    """

    name = "rfc2136"

    def __init__(
        self,
        zone: str,
        servers: Sequence[str],
        key: TsigKey | None,
        *,
        transfer_servers: Sequence[str] = (),
        gate: Callable[[], object] = lambda: None,
        timeout: float = TIMEOUT,
    ) -> None:
        self.zone = f"{zone}."
        self.capabilities = Capabilities()
        self._servers = tuple(map(Server.parse, servers))
        self._transfer = tuple(map(Server.parse, transfer_servers)) or self._servers
        self._key, self._gate, self._timeout = key, gate, timeout

    def info(self) -> ZoneInfo:
        """Ask a server that takes updates for the SOA and NS records of the zone."""
        return first_that_works(self._servers, self._info)

    def read(self, fence: str, names: Collection[str]) -> ZoneView:
        """Transfer the zone; if no server allows that, ask for ``names``, which then are all that is known.

        A transfer that ends early, or is older than what the first server has, is an error.
        """
        info = self.info()
        try:
            sets, serial = first_that_works(self._transfer, self._read)
        except TransferRefusedError:
            self.capabilities = Capabilities(lists=False)
            found = first_that_works(self._servers, partial(self._ask, names, fence))
            return zone_view(found, fence, serial=info.serial, complete=False)
        self.capabilities = Capabilities()
        if info.serial is not None and transfer.is_older(serial, info.serial):
            raise ServerError(
                f"the transfer of zone {self.zone.removesuffix('.')} is out of date",
                why=f"it has serial {serial}, {self._servers[0]} has {info.serial}",
                hint="check that the transfer server is notified of changes",
            )
        return zone_view(sets, fence, serial=serial)

    def look(self, names: Collection[str]) -> Mapping[str, NameState]:
        """Ask a server that takes updates for these names."""
        return zone_view(first_that_works(self._servers, partial(self._ask, names, "")), "").names

    def claim(self, name: str, seen: tuple[str, ...], text: str) -> Result:
        """Write or remove the zone marker if the zone has the one that was seen."""
        return self._send(update.claim(self.zone, name, seen, text))

    def apply(self, changes: Sequence[NameChange], fence: Fence) -> Mapping[str, Result]:
        """Send the changes in batches; after one that is not done, the rest is not sent."""
        results: dict[str, Result] = {}
        failed: Result | None = None
        for batch in update.batches(changes):
            if failed is None:
                result = self._send(update.update_of(self.zone, batch, fence))
                failed = result if result.outcome is not Outcome.DONE else None
            else:
                result = Result(Outcome.REFUSED, "not sent, because another change failed", failed.hint, failed.stale)
            results.update((change.key, result) for change in batch)
        return results

    def _send(self, message: dns.update.UpdateMessage) -> Result:
        """Send an update to the first server that takes it."""
        try:
            first_that_works(self._servers, partial(self._update, message))
        except ConflictError as error:
            return Result(Outcome.REFUSED, error.why or error.what, error.hint, stale=True)
        except UnansweredError as error:
            return Result(Outcome.UNKNOWN, str(error), error.hint)
        except (UnreachableError, AuthError, ZoneMissingError, ServerError) as error:
            return Result(Outcome.REFUSED, str(error), error.hint)
        return DONE

    def _update(self, message: dns.update.UpdateMessage, server: Server) -> None:
        with self._exchange(server) as exchange:
            self._gate()
            transfer.check(exchange.ask(message), exchange, self.zone, "updates", self._key)

    def _exchange(self, server: Server) -> Exchange:
        return Exchange(server, self._key, timeout=self._timeout)

    def _info(self, server: Server) -> ZoneInfo:
        with self._exchange(server) as exchange:
            return transfer.zone_info(exchange, self.zone, self._key)

    def _read(self, server: Server) -> transfer.Transferred:
        with self._exchange(server) as exchange:
            return transfer.transfer(exchange, self.zone, self._key)

    def _ask(self, names: Collection[str], fence: str, server: Server) -> transfer.RecordSets:
        with self._exchange(server) as exchange:
            return transfer.ask(exchange, self.zone, self._key, names, fence)
