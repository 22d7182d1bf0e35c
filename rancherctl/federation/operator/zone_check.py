"""Ask the DNS servers of a new federation whether they serve its zone and accept its key, before anything is changed.

The command line may be where the servers cannot be reached, because only the federation's hosts use them: that is no
problem, and is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.federation.providers import transfer
from rancherctl.federation.providers.exchange import Exchange
from rancherctl.federation.providers.faults import Server
from rancherctl.federation.providers.tsig import TsigKey

TIMEOUT: Final = 5.0


@dataclass(frozen=True, slots=True)
class ZoneCheck:
    """``problems`` prevent that names are published, ``notes`` say what could not be checked; one line each.

    ``nameservers``: those of the zone, absolute names.
    """

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()


def check_zone(zone: str, servers: Sequence[str], key: TsigKey | None) -> ZoneCheck:
    """Ask each server (``HOST[:PORT]``) for the SOA record of ``zone``, signed with the key."""
    problems: list[str] = []
    notes: list[str] = []
    found: tuple[str, ...] = ()
    for text in servers:
        try:
            with Exchange(Server.parse(text), key, timeout=TIMEOUT) as exchange:
                found = transfer.zone_info(exchange, f"{zone}.", key).nameservers or found
        except UnreachableError as error:
            notes.append(f"{error}: zone {zone} was not checked there")
        except RancherctlError as error:
            problems.append(": ".join(part for part in (str(error), error.why, error.hint) if part))
    return ZoneCheck(tuple(problems), tuple(notes), found)
