"""Which upstream resolver to use: the first of the given order that answers. Pure; the caller passes the time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rancherctl.dns import names
from rancherctl.net import join_host_port, split_server

PORT = 53
DEAD_AFTER = 2
"""Failed probes in a row after which an upstream counts as dead."""
ALIVE_AFTER = 3
"""Successful probes in a row after which a dead upstream counts as alive; doubled each time it dies again."""
MAX_ALIVE_AFTER = 96
CALM = 600.0
"""Seconds that an upstream must be alive to need only ALIVE_AFTER probes again after it has died."""
MAX_UPSTREAMS = 6
_SERVER = re.compile(r"^[ \t]*nameserver[ \t]+([^\s;#]+)", re.MULTILINE)


def of_resolv_conf(text: str, own: Collection[str]) -> tuple[str, ...]:
    """The servers of a resolv.conf, without this server's own addresses and the local stub (queries would loop).

    Skips invalid addresses: the server would refuse its whole configuration.
    """
    found = dict.fromkeys(names.address(word)[0] for word in _SERVER.findall(text))
    return tuple(a for a in found if a and a not in own and a != "::1" and not a.startswith("127."))[:MAX_UPSTREAMS]


def server(text: str) -> tuple[str, int] | None:
    """Address and port of an upstream as it is written in settings (``10.0.0.53:5353``); None if it is not valid."""
    return split_server(text, PORT)


def canonical(text: str) -> str:
    """The usual spelling of an upstream, without port 53; the text itself if it is not valid."""
    found = server(text)
    if found is None:
        return text
    return found[0] if found[1] == PORT else join_host_port(*found)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one probe. ``why``: what is wrong with the upstream, also if it answers; ``note``: only remarkable.

    ``ms`` is the time until the first answer.
    """

    answered: bool
    why: str = ""
    note: str = ""
    ms: float | None = None


@dataclass(slots=True)
class ProbedUpstream:
    """What is known about one upstream. ``alive`` None: not decided yet. ``changed``: when ``alive`` changed."""

    alive: bool | None = None
    last: ProbeResult | None = None
    changed: float = 0.0
    _streak: int = 0
    _needed: int = ALIVE_AFTER
    _died: bool = False

    def note(self, result: ProbeResult, now: float) -> None:
        """Note one probe's result; the state changes after enough equal results in a row."""
        self.last = result
        calm = now - self.changed >= CALM
        if result.answered == self.alive:
            self._streak = 0
            if self.alive and calm:
                self._needed, self._died = ALIVE_AFTER, False
            return
        self._streak += 1
        needed = DEAD_AFTER if not result.answered else self._needed if self.alive is False else 1
        if self._streak < needed:
            return
        if not result.answered:
            if self._died:
                self._needed = min(MAX_ALIVE_AFTER, self._needed * 2)
            self._died = self.alive is not None
        self.alive, self.changed, self._streak = result.answered, now, 0

    @property
    def doubtful(self) -> bool:
        """Whether another probe soon would tell whether it is dead."""
        return self.alive is None or (self.alive and self._streak > 0)


@dataclass(slots=True)
class Health:
    """The upstreams in the given order and what probing them has found."""

    upstreams: tuple[str, ...] = ()
    states: dict[str, ProbedUpstream] = field(default_factory=dict)

    def use(self, upstreams: Sequence[str]) -> None:
        """Replace the list of upstreams; keeps what is known about the ones that stay."""
        self.upstreams = tuple(upstreams)
        self.states = {one: self.states.get(one) or ProbedUpstream() for one in self.upstreams}

    def note(self, upstream: str, result: ProbeResult, now: float) -> None:
        """Note one probe's result."""
        self.states[upstream].note(result, now)

    @property
    def dead(self) -> tuple[str, ...]:
        """The upstreams that do not answer, in the given order."""
        return tuple(one for one in self.upstreams if self.states[one].alive is False)

    @property
    def silent(self) -> bool:
        """Whether all upstreams are dead, and none has answered its last probe."""
        states = [self.states[one] for one in self.upstreams]
        return bool(states) and all(one.alive is False and not (one.last and one.last.answered) for one in states)

    def doubtful(self) -> bool:
        """Whether another probe soon would tell whether an upstream is dead."""
        return any(self.states[one].doubtful for one in self.upstreams)

    def chosen(self) -> tuple[str, ...] | None:
        """The upstream to forward to, as a tuple of one; None while that is not decided.

        The server itself would prefer the faster of several, whatever their order. If none is alive, one that has
        answered its last probe; if there is none either, all of them: maybe they answer other questions.
        """
        for one in self.upstreams:
            alive = self.states[one].alive
            if alive is None:
                return None
            if alive:
                return (one,)
        answering = [one for one in self.upstreams if (last := self.states[one].last) is not None and last.answered]
        return tuple(answering[:1]) or self.upstreams


def rows(
    health: Health, domain: str, used: Collection[str], now: float, queries: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The state of each upstream as JSON values, in the given order.

    ``domain`` is the stub domain that they answer, "" for all other names. ``alive`` is null before it is known,
    ``in_use`` whether the server forwards to it now. ``why`` is what is wrong with it, ``note`` only remarkable.
    ``since``: seconds since ``alive`` changed. ``queries``: by server, for whatever domain; null if not counted.
    """
    out = []
    for number, one in enumerate(health.upstreams, 1):
        state = health.states[one]
        out.append(
            {
                "server": one,
                "domain": domain,
                "order": number,
                "alive": state.alive,
                "in_use": one in used,
                "why": state.last.why if state.last else "",
                "note": state.last.note if state.last else "",
                "latency_ms": state.last.ms if state.last else None,
                "since": round(now - state.changed, 1) if state.alive is not None else None,
                "queries": queries.get(one),
            }
        )
    return out


def problems(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each upstream that does not answer, or that answers no question."""
    out = []
    for row in found:
        use = f"upstream {row['server']}" + (f" of {row['domain']}" if row["domain"] else "")
        if row["alive"] is False:
            out.append(f"{use} does not answer: {row['why']}" if row["why"] else f"{use} answers again, not used yet")
        elif row["why"]:
            out.append(f"{use} {row['why']}")
    return out
