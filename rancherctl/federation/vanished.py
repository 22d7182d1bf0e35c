"""VanishedObjects: objects that went although the federation had just given them its finalizer.

An API server that has begun to delete an object without finalizers goes on when one is added meanwhile
(kubernetes/kubernetes#38133 was this in Federation v1): no deletion is seen, and copies may be there already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.federation.apis import HubApi
from rancherctl.federation.objects import Federated, ObjectId
from rancherctl.federation.pending import PendingEntry

log = logging.getLogger(__name__)
YOUNG_SECONDS: Final = 20.0
"""How long after its finalizer was written an object may go like this: a deletion in progress ends within seconds."""
KEPT_SECONDS: Final = 60.0
"""How long its copies are looked for; what comes later is an orphan, which is reported and not deleted."""


class VanishedObjects:
    """Absence from a list proves nothing, so the API is asked for the object itself. ``clock``: monotonic seconds."""

    def __init__(self, api: HubApi, clock: Callable[[], float]) -> None:
        self._api, self._clock = api, clock
        self._young: dict[ObjectId, tuple[str, float]] = {}
        self._vanished: dict[ObjectId, tuple[str, float]] = {}

    def guarded(self, source: Federated) -> None:
        """The finalizer was written now."""
        self._young[source.id] = source.meta.uid, self._clock()

    def look(self, services: Mapping[str, Federated], namespaces: Mapping[str, Federated]) -> None:
        """Compare with what is there now."""
        now = self._clock()
        self._vanished = {i: (uid, since) for i, (uid, since) in self._vanished.items() if now - since < KEPT_SECONDS}
        for object_id, (uid, since) in list(self._young.items()):
            found = (services if object_id.namespace else namespaces).get(object_id.key)
            there = found is not None and found.meta.uid == uid
            if now - since >= YOUNG_SECONDS or (found is not None and there and found.meta.deleting):
                del self._young[object_id]
            elif not there and self._gone(object_id, uid):
                log.info("%s went while it got its finalizer: its copies go, too", object_id)
                del self._young[object_id]
                self._vanished[object_id] = uid, now

    def entries(self) -> dict[ObjectId, PendingEntry]:
        """As tombstones for all members."""
        return {object_id: PendingEntry(uid) for object_id, (uid, _) in self._vanished.items()}

    def _gone(self, object_id: ObjectId, uid: str) -> bool:
        try:
            found = self._api.get(object_id.resource, object_id.name, namespace=object_id.namespace)
        except NotFoundError:
            return True
        except RancherctlError as error:
            log.info("%s cannot be read: %s", object_id, error)
            return False
        return str(found["metadata"].get("uid", "")) != uid
