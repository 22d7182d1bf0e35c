"""Which roster a host goes by: the newest leader's, and an older one only when it stays, as after a restore of the environment."""

from __future__ import annotations

import logging

from rancherctl.ingress.model import Roster
from rancherctl.kube.objects import ConfigMap

RESTORED_SECONDS = 60.0
"""A late write of an older leader is corrected within seconds by the one that leads; what stays this long is what the environment has."""
log = logging.getLogger(__name__)


class Following:
    """Feed ``take`` with what the API shows; ``roster`` is the one to go by (None until there is one, the same object while it stays).

    ``floor`` is what was followed before a restart.
    """

    def __init__(self, floor: Roster) -> None:
        self.roster: Roster | None = None
        self._floor = floor
        self._read: ConfigMap | None = None
        self._stored: Roster | None = None
        self._older_since: float | None = None

    def take(self, stored: ConfigMap | None, now: float) -> str:
        """Take the roster as stored (None: there is none, the last one counts); ``now`` in monotonic seconds. Returns an alarm, "" = none."""
        if stored is not self._read:
            self._read, self._stored = stored, _parse(stored)
        if self._stored is None:
            return ""
        if self._stored.newer_than(self._floor):
            self._older_since = None
        else:
            self._older_since = now if self._older_since is None else self._older_since
            text = f"roster {_number(self._stored)} is older than {_number(self._floor)}, which was followed before"
            if now - self._older_since < RESTORED_SECONDS:
                return f"{text}: ignored for {RESTORED_SECONDS:.0f} s"
            log.warning("%s: taken, the environment was restored", text)
        self.roster = self._floor = self._stored
        return ""


def _number(roster: Roster) -> str:
    return f"{roster.epoch}.{roster.sequence}"


def _parse(stored: ConfigMap | None) -> Roster | None:
    try:
        return Roster.from_json(stored.data.get("roster", "")) if stored else None
    except ValueError as error:
        log.warning("the roster cannot be read and is ignored: %s", error)
        return None
