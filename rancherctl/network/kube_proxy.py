"""kube-proxy of this host: its own answer, and a restart after another program flushed its nft rules.

kube-proxy itself would notice that within an hour.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport

UNIT = "rancherctl-kube-proxy.service"
START_GRACE = 15.0
"""Seconds after the start of kube-proxy before missing rules count as lost."""
_DISPATCH = "@service-ips"
HEALTH_URL: Final = "http://127.0.0.1:10256/healthz"
"""kube-proxy's own answer whether it keeps up with the API."""
HEALTH_TIMEOUT: Final = 1.0


def proxy_answer() -> str:
    """Why kube-proxy of this host is not healthy; "" if it is."""
    try:
        with urllib.request.urlopen(HEALTH_URL, timeout=HEALTH_TIMEOUT) as response:
            return "" if response.status == 200 else f"its health check answers {response.status}"
    except urllib.error.HTTPError as error:
        return f"its health check answers {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return f"its health check does not answer: {getattr(error, 'reason', error)}"


def has_service_rule(listing: str) -> bool:
    """Whether ``nft list chain ip kube-proxy services`` shows the rule that leads to all Services.

    Source: kube-proxy's nftables mode.
    """
    return _DISPATCH in listing


def settled(shown: str, now: float, settle: float = START_GRACE) -> bool:
    """Whether ``systemctl show`` reports a unit as active for ``settle`` seconds; ``now`` is monotonic seconds."""
    fields = dict(line.partition("=")[::2] for line in shown.splitlines())
    since = fields.get("ActiveEnterTimestampMonotonic", "")
    return fields.get("ActiveState") == "active" and since.isdigit() and now - int(since) / 1e6 >= settle


class KubeProxyWatchdog:
    """Restarts kube-proxy if its rules are missing; does nothing on hosts where an add-on replaces it."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport, self._clock = transport, clock
        self._restarted_at = float("-inf")
        self._seen = False  # rules seen since the last restart: if they are missing now, they were removed, not late
        self.restarts = 0

    def check(self) -> bool:
        """Check the rules; True if kube-proxy was restarted.

        Call it only while the API answers: without the API a restarted kube-proxy knows no Services.
        """
        listing = self._transport.run(command("nft", "list", "chain", "ip", "kube-proxy", "services"), check=False)
        now = self._clock()
        if listing.ok and has_service_rule(listing.text()):
            self._seen = True
            return False
        if not self._seen and now - self._restarted_at < START_GRACE:
            return False
        shown = self._transport.run(
            command("systemctl", "show", "-p", "ActiveState", "-p", "ActiveEnterTimestampMonotonic", UNIT), check=False
        )
        if not (shown.ok and settled(shown.text(), now, 0.0 if self._seen else START_GRACE)):
            return False
        self._restarted_at, self._seen = now, False
        self.restarts += 1
        self._transport.run(command("systemctl", "try-restart", "--no-block", UNIT))
        return True
