"""Keep one server equal to the desired records: read, plan, guard, update; check all zones after a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rancherctl.dns import apply, observe
from rancherctl.dns.client import Channel, OutcomeUnknownError
from rancherctl.dns.heal import Healer
from rancherctl.dns.model import RecordSet
from rancherctl.dns.plan import SECOND_LIST_AFTER, Epochs, HeldDeletes, guard
from rancherctl.dns.verify import Verifier
from rancherctl.dns.zone_state import ZoneState

log = logging.getLogger(__name__)
CHECK = 2.0
"""Seconds between two reads of a zone's marker."""
VERIFY_AFTER = 1.0
"""Quiet seconds after a (re)connection before whole zones are read and compared."""
GRACE = 60.0
"""Seconds after which a missing zone counts as failed even if the server has not logged the end of loading.

It cannot log on a full disk. Otherwise it is still loading, which takes seconds on a busy host: replacing the files
then would undo the acknowledged updates in the journal.
"""
MAX_REFUSALS = 2
"""Updates refused in a row before the zone is rewritten."""


@dataclass(slots=True)
class Sync:
    """Call ``step`` for every change and every CHECK seconds. ``loaded`` names the zones that the server has loaded."""

    channel: Channel
    verifier: Verifier
    healer: Healer
    states: Sequence[ZoneState]
    clock: Callable[[], float] = time.monotonic
    loaded: set[str] = field(default_factory=set)
    alarms: dict[str, str] = field(default_factory=dict)
    repairs: int = 0
    updates: int = 0
    relist_due: bool = False
    _trusted: Epochs | None = None
    _holds: dict[str, HeldDeletes | None] = field(default_factory=dict)
    _checked: float = float("-inf")
    _generation: int = 0
    _verify_at: float | None = None
    _missing: dict[str, float] = field(default_factory=dict)
    _refused: dict[str, int] = field(default_factory=dict)

    def step(self, *, synced: bool, epochs: Epochs, version: str) -> bool:
        """Do one round; False if zones are not loaded yet and another round should follow soon.

        Raises UpdateRefusedError and the errors of client and hosts.
        """
        broken: list[ZoneState] = []
        fresh = self.clock() - self._checked < CHECK and self.channel.generation == self._generation
        if not fresh:
            self._checked = self.clock()
        for state in self.states:
            unsure = state.attempt is not None or (state.have is None and (synced or state.zone not in self.loaded))
            if (unsure or not fresh) and not self._read_state(state, synced=synced):
                broken.append(state)
            elif synced and state.have is not None and (state.pending or not state.marked):
                self._update(state, epochs, version)
        if synced and not any(self._holds.values()) and all(m.have is not None for m in self.states):
            self._trusted = epochs
        self.relist_due = any(
            h is not None and self.clock() - h.since >= SECOND_LIST_AFTER for h in self._holds.values()
        )
        if self.channel.generation != self._generation:
            self._generation = self.channel.generation
            self._missing = dict.fromkeys(self._missing, self.clock())
            self._verify_at = self.clock() + VERIFY_AFTER
        if broken:
            late = [m for m in broken if self._failed(m.zone)]
            return not self.healer.heal(late, synced=synced) and len(late) == len(broken)
        self._repair(self.verifier.result(), synced=synced)
        if self._verify_at is not None and self.clock() >= self._verify_at and not self.verifier.busy:
            self._verify_at = None
            self.verifier.begin()
        return self._verify_at is None and not self.verifier.busy

    def _failed(self, zone: str) -> bool:
        """Whether a zone will not load. A server that has just started is reading its files: do not replace them."""
        if not self.healer.store.has_zone(zone) or self.clock() - self._missing[zone] >= GRACE:
            return True
        # Read it again after the server has logged the end of loading: it may have loaded since the first query.
        return self.healer.store.all_loaded() and not observe.read_marker(self.channel, zone).loaded

    def _read_state(self, state: ZoneState, *, synced: bool) -> bool:
        reading = observe.read_marker(self.channel, state.zone)
        if not reading.loaded:
            self.loaded.discard(state.zone)
            state.forget()
            self._missing.setdefault(state.zone, self.clock())
            return False
        first = state.zone not in self.loaded
        self.loaded.add(state.zone)
        self._missing.pop(state.zone, None)
        self.healer.well(state.zone)
        digest, state.version = (reading.marker.hash, reading.marker.version) if reading.marker else ("", "")
        if first and not synced and self.healer.outdated(state.zone, reading.marker):
            self.healer.rewrite(state)
            return True
        if state.confirm(digest):
            return True
        # If the zone's content is already known, do not trust the marker: the files may be corrupt and still load.
        if synced and state.have is None and not state.doubted and digest == state.want_hash():
            state.set_actual_as_wanted()
        elif synced:
            state.set_actual(*self._read(state))
        return True

    def _read(self, state: ZoneState) -> tuple[dict[str, RecordSet], str]:
        content = observe.transfer(self.channel, state.zone)
        return content.sets, content.marker.hash if content.marker else ""

    def _update(self, state: ZoneState, epochs: Epochs, version: str) -> None:
        assert state.have is not None
        verdict = guard(
            state.plan(),
            existing=len(state.have),
            epochs=epochs,
            trusted=self._trusted,
            hold=self._holds.get(state.zone),
            now=self.clock(),
        )
        self._holds[state.zone] = verdict.hold
        if verdict.alarm and state.zone not in self.alarms:
            log.error("zone %s: %s", state.zone, verdict.alarm)
        self.alarms = {zone: text for zone, text in {**self.alarms, state.zone: verdict.alarm}.items() if text}
        if not verdict.plan and state.marked:
            state.pending -= {key for key in state.pending if state.have.get(key) == state.want.get(key)}
            return
        marker = state.marker_after(verdict.plan, version)
        try:
            apply.apply(self.channel, state.zone, verdict.plan, marker)
        except OutcomeUnknownError:
            state.attempt = (verdict.plan, marker)
            raise
        except apply.UpdateRefusedError:
            state.forget()
            state.doubted = True
            self._refuse(state)
            raise
        self._refused.pop(state.zone, None)
        state.accept(verdict.plan)
        state.version = version
        self.updates += 1

    def _refuse(self, state: ZoneState) -> None:
        if not observe.read_marker(self.channel, state.zone).loaded:
            return  # the server has just started and is reading its files
        count = self._refused[state.zone] = self._refused.get(state.zone, 0) + 1
        if count >= MAX_REFUSALS:
            state.set_actual(*self._read(state))
            self.healer.rewrite(state)

    def _repair(self, zones: Sequence[str], *, synced: bool) -> None:
        for state in self.states:
            if state.zone not in zones:
                continue
            if synced:
                found, digest = self._read(state)
                if found == state.have:
                    continue  # the check saw a half-applied update of several messages
                state.set_actual(found, digest)
            state.doubted = True
            self.repairs += 1
            log.warning("zone %s does not match its marker: repairing", state.zone)
            if not synced and self.healer.rewrite(state):
                return  # the server was restarted: the next check finds other damage
