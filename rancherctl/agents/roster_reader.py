"""RosterReader: the roster as stored in the API, parsed once for each version. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from rancherctl.contract import ROSTER_KEY, ROSTER_NAME
from rancherctl.kube.objects import ConfigMap
from rancherctl.placement.model import Roster

log = logging.getLogger(__name__)
ROSTER = ROSTER_NAME
"""Key of the roster in its ConfigMap, which has the same name."""


class RosterReader:
    """Read the stored roster. A missing or damaged one reads as empty: the leader then writes a new one."""

    def __init__(self) -> None:
        self._stored: ConfigMap | None = None
        self._roster = Roster()

    def read(self, maps: Mapping[str, ConfigMap]) -> Roster:
        """Return the roster of a table; the same object as long as the stored ConfigMap is the same."""
        return self.of(maps.get(ROSTER_KEY))

    def of(self, stored: ConfigMap | None) -> Roster:
        """Return the roster of a ConfigMap (None: it is missing)."""
        if stored is not self._stored:
            self._stored = stored
            try:
                self._roster = Roster.from_json(stored.data[ROSTER]) if stored else Roster()
            except (KeyError, ValueError) as error:
                log.warning("the stored roster is not valid, writing a new one: %s", error)
                self._roster = Roster()
        return self._roster
