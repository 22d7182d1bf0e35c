"""Which upstream resolvers to use, in which order: the configured ones or the host's, without dead ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from rancherctl.dns import names

DEAD_AFTER = 2
"""Failed probes in a row after which an upstream counts as dead."""
ALIVE_AFTER = 2
"""Successful probes in a row after which a dead upstream counts as alive."""
MAX_UPSTREAMS = 6
_SERVER = re.compile(r"^[ \t]*nameserver[ \t]+([^\s;#]+)", re.MULTILINE)


def of_resolv_conf(text: str, own: Collection[str]) -> tuple[str, ...]:
    """The servers of a resolv.conf, without this server's own addresses and the local stub (queries would loop).

    Skips invalid addresses: the server would refuse its whole configuration.
    """
    found = dict.fromkeys(names.address(word)[0] for word in _SERVER.findall(text))
    return tuple(a for a in found if a and a not in own and a != "::1" and not a.startswith("127."))[:MAX_UPSTREAMS]


@dataclass(slots=True)
class Health:
    """The result of probing. If all upstreams are dead, all are used."""

    upstreams: tuple[str, ...] = ()
    dead: set[str] = field(default_factory=set)
    _streak: dict[str, int] = field(default_factory=dict)

    def use(self, upstreams: tuple[str, ...]) -> None:
        """Replace the list of upstreams; keeps what is known about the ones that stay."""
        self.upstreams = upstreams
        self.dead &= set(upstreams)

    def note(self, upstream: str, answered: bool) -> None:
        """Note one probe's result; the state changes after enough equal results in a row."""
        contrary = answered == (upstream in self.dead)
        self._streak[upstream] = self._streak.get(upstream, 0) + 1 if contrary else 0
        if contrary and self._streak[upstream] >= (ALIVE_AFTER if answered else DEAD_AFTER):
            self._streak[upstream] = 0
            if answered:
                self.dead.discard(upstream)
            else:
                self.dead.add(upstream)

    def doubtful(self) -> bool:
        """Whether another probe soon would settle the state of an upstream."""
        return any(self._streak.get(u, 0) for u in self.upstreams)

    def order(self) -> tuple[str, ...]:
        """The upstreams that answer, in the given order; all of them if none answers."""
        alive: Sequence[str] = [u for u in self.upstreams if u not in self.dead]
        return tuple(alive) or self.upstreams
