"""Choose the roster that a host uses: the latest leader's.

An older one is used only if it stays, as after a restore of the environment.
"""

from __future__ import annotations

import logging
from typing import Final

from rancherctl.kube.objects import ConfigMap
from rancherctl.placement.model import Roster

RESTORED_SECONDS: Final = 60.0
"""The current leader corrects a late write of an earlier leader within seconds. What stays this long is correct."""
log = logging.getLogger(__name__)


class RosterGuard:
    """``roster`` is the roster to use: None until one is accepted.

    It is the same object as long as it does not change.

    ``floor`` is the roster that was used before a restart; an older one is suspicious.
    """

    def __init__(self, floor: Roster) -> None:
        self.roster: Roster | None = None
        self._floor = floor
        self._read: ConfigMap | None = None
        self._stored: Roster | None = None
        self._older_since: float | None = None

    def accept(self, stored: ConfigMap | None, now: float) -> str:
        """Accept the roster in the API, unless it is suspicious; returns the alarm to raise ("" = none).

        Without a stored roster the last one stays in use. ``now`` is monotonic, in seconds.
        """
        if stored is not self._read:
            self._read, self._stored = stored, _parse(stored)
        if self._stored is None:
            return ""
        if self._stored.newer_than(self._floor):
            self._older_since = None
        else:
            self._older_since = now if self._older_since is None else self._older_since
            text = f"roster {_number(self._stored)} is older than {_number(self._floor)}, which was used before"
            if now - self._older_since < RESTORED_SECONDS:
                return f"{text}: ignored for {RESTORED_SECONDS:.0f} s"
            log.warning("%s: accepted, the environment was restored", text)
        self.roster = self._floor = self._stored
        return ""


def _number(roster: Roster) -> str:
    return f"{roster.epoch}.{roster.sequence}"


def _parse(stored: ConfigMap | None) -> Roster | None:
    try:
        return Roster.from_json(stored.data.get("roster", "")) if stored else None
    except ValueError as error:
        log.warning("ignoring the roster, it cannot be read: %s", error)
        return None
