"""When an address comes into a status, and when it leaves: hosts serve first, and as long as clients use it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancherctl.net import address_key
from rancherctl.services.model import LoadBalancer
from rancherctl.services.placement import Decision
from rancherctl.services.verifier import (
    MOVE_SECONDS,
    QUIET_SECONDS,
    REFUSED,
    REPLACE_LOCAL_SECONDS,
    REPLACE_SECONDS,
    Verifier,
)


@dataclass(frozen=True, slots=True)
class Handover:
    """``addresses`` to publish now, sorted; ``pending`` hosts are chosen and do not serve yet.

    ``moving`` hosts are to serve by rules of their own. ``quiet``: only a wait that has just begun is the reason for
    ``addresses`` not being those of the chosen hosts.
    """

    addresses: tuple[str, ...]
    pending: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()
    quiet: bool = False


def hand_over(s: LoadBalancer, decision: Decision, verifier: Verifier) -> Handover:
    """Addresses of chosen hosts that serve, and those of hosts that leave in peace and are not ready for that.

    These stay until the chosen hosts serve, and until they themselves have rules for clients that still use them.
    """
    hosts = verifier.hosts
    new = [name for name in decision.hosts if hosts[name].address not in s.published]
    pending = [name for name in new if not verifier.prepared(s, name)]
    waits = {name: verifier.waited("preparing", s.name, name) for name in pending if verifier.may_prepare(s.name, name)}
    out = {hosts[name].address for name in decision.hosts if name not in pending}
    leaving = _staying(s, decision, verifier)
    out |= {hosts[name].address for name in leaving}
    # An empty status is an answer that resolvers keep: what is published stays for a moment.
    limit = REPLACE_SECONDS if s.endpoints is None else REPLACE_LOCAL_SECONDS
    if pending and not out and s.published and verifier.waited("replacing", s.name, "") < limit:
        out = set(s.published)
    known = (name for name in decision.hosts if verifier.understands(name))
    moving = [name for name in known if name in waits or not (name in pending or verifier.confirmed(s, name))]
    moving += filter(verifier.understands, leaving)
    addresses = tuple(sorted(out, key=address_key))
    quiet = bool(pending) and all(wait < QUIET_SECONDS for wait in waits.values()) and addresses == s.published
    return Handover(addresses, tuple(pending), tuple(moving), quiet)


def _staying(s: LoadBalancer, decision: Decision, verifier: Verifier) -> list[str]:
    """Published hosts that are no longer chosen, could go on to serve, and are to do so for a moment."""
    ready = all(verifier.confirmed(s, name) for name in decision.hosts)
    out = []
    for host in verifier.hosts.values():
        if host.address not in s.published or host.name in decision.hosts or not host.alive:
            continue
        why = decision.reasons.get(host.name, "")
        # Rules of its own serve what its kube-proxy has not programmed.
        able = host.excluded or not why or (why == REFUSED and not ready and verifier.has_rules(s, host.name))
        if not able or (s.endpoints is not None and host.name not in s.endpoints):
            continue
        if ready and verifier.served_later(s, host.name):
            continue
        if (host.draining and not ready) or verifier.waited("moving", s.name, host.name) < MOVE_SECONDS:
            out.append(host.name)
    return out
