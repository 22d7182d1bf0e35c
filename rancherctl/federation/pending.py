"""Tombstones for members that cannot be reached: kept in the federation's API until the member has removed its copy.

One ConfigMap ``pending-MEMBER`` in the federation's namespace; a key is ``KIND.NAMESPACE.NAME``, a value is JSON. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.federation.objects import ObjectId

PENDING_PREFIX: Final = "pending-"
MAX_ENTRIES: Final = 5000
"""More do not fit into a ConfigMap; objects deleted after that wait for the member."""


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """The federated object ``uid`` was deleted at ``deleted`` (RFC 3339); ``orphan``: its copy stays, unmarked."""

    uid: str
    orphan: bool = False
    deleted: str = ""


def entry_key(object_id: ObjectId) -> str:
    """Key of an object in the ConfigMap."""
    return f"{object_id.kind}.{object_id.key.replace('/', '.')}"


def parse(data: Mapping[str, str]) -> dict[ObjectId, PendingEntry]:
    """The entries of a ConfigMap; what cannot be read is left out, and therefore deletes nothing."""
    out: dict[ObjectId, PendingEntry] = {}
    for key, text in data.items():
        kind, _, name = key.partition(".")
        try:
            value: Any = json.loads(text)
            entry = PendingEntry(str(value["uid"]), value.get("orphan") is True, str(value.get("deleted", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        out[ObjectId(kind, name.replace(".", "/", 1))] = entry
    return out


def render(entries: Mapping[ObjectId, PendingEntry]) -> dict[str, str]:
    """The data of the ConfigMap."""
    return {
        entry_key(object_id): json.dumps(
            {"uid": e.uid, "orphan": e.orphan, "deleted": e.deleted}, separators=(",", ":")
        )
        for object_id, e in sorted(entries.items())
    }
