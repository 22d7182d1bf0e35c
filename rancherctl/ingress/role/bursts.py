"""Bursts: a reload is put off for a moment if more changes of Ingresses have come while its own was worked on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.kube.objects import Ingress, Meta

QUIET: Final = 0.1
"""Seconds without another change after which a burst has ended."""
LONGEST: Final = 0.3
"""Seconds after which it counts as ended whatever comes."""

Ingresses = Mapping[str, Ingress]


def differ(before: Ingresses, after: Ingresses) -> bool:
    """Whether these tables differ in more than statuses, which the leader writes."""
    if before is after:
        return False
    if before.keys() != after.keys():
        return True
    pairs = ((old, after[key]) for key, old in before.items() if after[key] is not old)
    return any(_content(old) != _content(new) for old, new in pairs)


def _content(ingress: Ingress) -> Ingress:
    meta = ingress.meta
    annotations = {name: text for name, text in meta.annotations.items() if name != STATUS_ANNOTATION}
    known = Meta(meta.namespace, meta.name, meta.uid, annotations=annotations, deleting=meta.deleting)
    return replace(ingress, meta=known, status=(), status_ports=(), status_says_more=False)


class Bursts:
    """Says how long a reload waits for others of its burst. ``clock`` is monotonic seconds.

    ``newest`` returns the Ingresses that the watch has delivered by now. A change that comes alone does not wait:
    there is a burst only if ``newest`` differs from the Ingresses given to ``begin``. That is asked twice: when a
    reload is decided, and once more, by ``overtaken``, when its configuration has been tested.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.newest: Callable[[], Ingresses] | None = None
        self._clock = clock
        self._ingresses: Ingresses = {}
        self._began: float | None = None
        self._decided, self._last, self._waited = 0.0, 0.0, False
        self._loaded: Mapping[str, str] = {}

    def begin(self, ingresses: Ingresses) -> None:
        """Note from which Ingresses the next decision is made."""
        self._ingresses = ingresses

    def left(self, loaded: Mapping[str, str]) -> float:
        """Seconds for which a reload to these contents (``Model.loaded``) still waits; 0 or less: it does not."""
        now = self._decided = self._clock()
        more = self._more()
        if self._began is None:
            if not more:
                return 0.0
            self._began, self._last = now, now
        elif more or loaded != self._loaded:
            self._last = now
        self._loaded = loaded
        return min(self._last + QUIET, self._began + LONGEST) - now

    def end(self) -> None:
        """Note that no reload waits any more: the one that did begins, or none is wanted."""
        self._waited, self._began = self._began is not None, None

    def overtaken(self) -> bool:
        """Whether a reload that has not waited is to wait after all: others have come while it was prepared.

        Not if that took so long that a burst would be over.
        """
        now = self._clock()
        if self._waited or now - self._decided >= LONGEST - QUIET or not self._more():
            return False
        self._began, self._last = self._decided, now
        return True

    def _more(self) -> bool:
        return self.newest is not None and differ(self._ingresses, self.newest())
