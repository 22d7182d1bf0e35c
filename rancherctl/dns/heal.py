"""Restore a zone that the server cannot load or update: from the saved copy, from the API, or without its journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rancherctl.dns import zonefile
from rancherctl.dns.daemon import Daemon
from rancherctl.dns.model import Marker, RecordSet
from rancherctl.dns.store import Store
from rancherctl.dns.zone_state import ZoneState

log = logging.getLogger(__name__)
MAX_PAUSE = 30.0


@dataclass(slots=True)
class Healer:
    """Rewrites damaged zones. ``clock`` is monotonic seconds; ``wall`` gives the serial of a rewritten zone."""

    domain: str
    store: Store
    daemon: Daemon
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    healed: int = 0
    _tries: dict[str, int] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)

    def well(self, zone: str) -> None:
        """Note that the zone is loaded: forget earlier attempts."""
        self._tries.pop(zone, None)
        self._next.pop(zone, None)

    def heal(self, broken: Sequence[ZoneState], *, synced: bool) -> bool:
        """Try to restore zones that are not loaded; True if something was done and the caller should wait for it.

        The first attempt only makes the server load missing zones. Later attempts restart it.
        """
        due = [m for m in broken if self.clock() >= self._next.get(m.zone, 0.0)]
        texts = {m.zone: text for m in due if (text := self._text(m, synced=synced))}
        bare = [m.zone for m in due if m.zone not in texts and self.store.drop_journal(m.zone)]
        if not texts and not bare:
            return False
        gently = all(self._tries.get(m.zone, 0) == 0 for m in due)
        log.warning("loading zones again: %s", ", ".join([*texts, *bare]))
        for state in due:
            tries = self._tries[state.zone] = self._tries.get(state.zone, 0) + 1
            self._next[state.zone] = self.clock() + min(MAX_PAUSE, 0.5 * 2**tries)
        self._replace(texts, gently=gently)
        self.healed += 1
        return True

    def outdated(self, zone: str, marker: Marker | None) -> bool:
        """Whether a loaded zone is older than the saved copy: a journal that lost its end may still load."""
        kept = self.store.kept(zone) if marker is not None else None
        known = zonefile.marker_of(kept, zone) if kept is not None else None
        return marker is not None and known is not None and known.newer(marker)

    def rewrite(self, state: ZoneState) -> bool:
        """Rewrite a loaded zone that cannot be updated or differs from its marker; restarts the server.

        False without content to write, or if the last rewrite was less than MAX_PAUSE seconds ago.
        """
        if self.clock() < self._next.get(state.zone, 0.0):
            return False
        text = (
            self._render(state, state.have.values(), state.have_hash())
            if state.have is not None
            else self.store.kept(state.zone)
        )
        if text is None:
            return False
        self._next[state.zone] = self.clock() + MAX_PAUSE
        log.warning("rewriting zone %s", state.zone)
        self._replace({state.zone: text}, gently=False)
        self.healed += 1
        return True

    def _replace(self, texts: dict[str, str], *, gently: bool) -> None:
        staged = self.store.stage(texts)
        try:
            if gently:
                self.store.commit(staged)
                self.daemon.reload()
                return
            self.daemon.stop()
            try:
                self.store.commit(staged)
            finally:
                self.daemon.start()
        finally:
            self.store.discard(staged)

    def _text(self, state: ZoneState, *, synced: bool) -> str | None:
        kept = self.store.kept(state.zone)
        if not synced:
            return kept
        wanted = self._render(state, state.want.values(), state.want_hash())
        # Prefer the copy even if the API has answered: a list that lost most names must pass the guard first.
        return kept if kept is not None and not self._tries.get(state.zone) else wanted

    def _render(self, state: ZoneState, sets: Iterable[RecordSet], digest: str) -> str:
        return zonefile.render(state.zone, self.domain, sets, int(self.wall()), Marker(digest, state.version))

    def keep(self, state: ZoneState) -> None:
        """Save a copy of the zone as the server has it."""
        if state.have is not None:
            self.store.keep(state.zone, self._render(state, state.have.values(), state.have_hash()))
