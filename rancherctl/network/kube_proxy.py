"""kube-proxy's nft rules when somebody else flushed them: it writes what changed, and everything only once an hour, so it has to be restarted."""

from __future__ import annotations

import time
from collections.abc import Callable

from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport

UNIT = "rancherctl-kube-proxy.service"
SETTLE = 15.0
"""Seconds that a kube-proxy gets to write its rules after its start before they count as lost."""
_DISPATCH = "@service-ips"


def whole(listing: str) -> bool:
    """Whether ``nft list chain ip kube-proxy services`` shows the rule that leads to every Service. Source: kube-proxy's nftables mode."""
    return _DISPATCH in listing


def settled(shown: str, now: float, settle: float = SETTLE) -> bool:
    """Whether ``systemctl show`` tells of a unit that has been active for ``settle`` seconds; ``now`` in seconds of the monotonic clock."""
    fields = dict(line.partition("=")[::2] for line in shown.splitlines())
    since = fields.get("ActiveEnterTimestampMonotonic", "")
    return fields.get("ActiveState") == "active" and since.isdigit() and now - int(since) / 1e6 >= settle


class KubeProxyWatchdog:
    """Restarts kube-proxy when its rules are gone; on hosts without it (another add-on does its work) it does nothing."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport, self._clock = transport, clock
        self._restarted_at = float("-inf")
        self._seen = False  # the rules, since the last restart: what was there and is gone was taken away, not late
        self.restarts = 0

    def check(self) -> bool:
        """One look; True if kube-proxy was restarted. Call it while the API answers: without it a new kube-proxy would know no Service."""
        listing = self._transport.run(command("nft", "list", "chain", "ip", "kube-proxy", "services"), check=False)
        now = self._clock()
        if listing.ok and whole(listing.text()):
            self._seen = True
            return False
        if not self._seen and now - self._restarted_at < SETTLE:
            return False
        shown = self._transport.run(
            command("systemctl", "show", "-p", "ActiveState", "-p", "ActiveEnterTimestampMonotonic", UNIT), check=False
        )
        if not (shown.ok and settled(shown.text(), now, 0.0 if self._seen else SETTLE)):
            return False
        self._restarted_at, self._seen = now, False
        self.restarts += 1
        self._transport.run(command("systemctl", "try-restart", "--no-block", UNIT))
        return True
