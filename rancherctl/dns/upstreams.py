"""Which upstream resolvers are used, in which order: configured or the host's, those that answer first. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from rancherctl.dns import names

DEAD_AFTER = 2
"""Probes in a row without a useful answer."""
ALIVE_AFTER = 2
"""Probes in a row with one, for an upstream that was dead."""
MOST = 6
_SERVER = re.compile(r"^[ \t]*nameserver[ \t]+([^\s;#]+)", re.MULTILINE)


def of_resolv_conf(text: str, own: Collection[str]) -> tuple[str, ...]:
    """The servers of a resolv.conf, without this server's own addresses and the local stub (both would ask us in a circle).

    What is no address is left out: the server would refuse its whole configuration for it.
    """
    found = dict.fromkeys(names.address(word)[0] for word in _SERVER.findall(text))
    return tuple(a for a in found if a and a not in own and a != "::1" and not a.startswith("127."))[:MOST]


@dataclass(slots=True)
class Health:
    """What probing has shown. ``dead`` never decides alone: when all are dead all are used."""

    upstreams: tuple[str, ...] = ()
    dead: set[str] = field(default_factory=set)
    _streak: dict[str, int] = field(default_factory=dict)

    def use(self, upstreams: tuple[str, ...]) -> None:
        """Another list of upstreams; what is known of those that stay is kept."""
        self.upstreams = upstreams
        self.dead &= set(upstreams)

    def note(self, upstream: str, answered: bool) -> None:
        """One probe's result; changes the opinion after enough of the same kind in a row."""
        contrary = answered == (upstream in self.dead)
        self._streak[upstream] = self._streak.get(upstream, 0) + 1 if contrary else 0
        if contrary and self._streak[upstream] >= (ALIVE_AFTER if answered else DEAD_AFTER):
            self._streak[upstream] = 0
            if answered:
                self.dead.discard(upstream)
            else:
                self.dead.add(upstream)

    def doubtful(self) -> bool:
        """Whether another probe soon would settle a question."""
        return any(self._streak.get(u, 0) for u in self.upstreams)

    def order(self) -> tuple[str, ...]:
        """Those that answer, in the order given; all of them when none does."""
        alive: Sequence[str] = [u for u in self.upstreams if u not in self.dead]
        return tuple(alive) or self.upstreams
