"""The fake API server's state: objects, resource versions, a history for watches, and a small server-side apply."""

from __future__ import annotations

import base64
import copy
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class RefusedError(Exception):
    """An answer other than success."""

    def __init__(self, code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers or {}

    def status(self) -> Json:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }


CREATED = "2026-01-01T12:00:00Z"
"""When all objects were created."""


@dataclass
class Past:
    """One event of the history. ``before`` is the object as it was, for selectors."""

    version: int
    collection: str
    type: str
    object: Json


@dataclass
class Store:
    """Keys are (collection, namespace, name); a collection is the URL without the latter two, e.g. ``/api/v1/pods``."""

    objects: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    history: list[Past] = field(default_factory=list)
    version: int = 1000
    compacted: int = 0
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    applied: dict[tuple[tuple[str, str, str], str], Json] = field(default_factory=dict)

    def put(self, collection: str, namespace: str, obj: Json, *, kind: str = "ADDED") -> Json:
        """Store a new version of an object and tell the watches."""
        with self.changed:
            self.version += 1
            obj = encoded(copy.deepcopy(obj))
            meta = obj.setdefault("metadata", {})
            if namespace:
                meta["namespace"] = namespace
            meta.setdefault("uid", str(uuid.uuid4()))
            meta["resourceVersion"] = str(self.version)
            self.objects[collection, namespace, meta["name"]] = obj
            self.history.append(Past(self.version, collection, kind, obj))
            self.changed.notify_all()
            return obj

    def create(self, collection: str, namespace: str, obj: Json, *, dry: bool = False) -> Json:
        with self.changed:
            if (collection, namespace, obj["metadata"]["name"]) in self.objects:
                raise RefusedError(409, "AlreadyExists", f"{obj['metadata']['name']} already exists")
            obj["metadata"].setdefault("creationTimestamp", CREATED)
            return copy.deepcopy(obj) if dry else self.put(collection, namespace, obj)

    def get(self, collection: str, namespace: str, name: str) -> Json:
        with self.changed:
            if (collection, namespace, name) not in self.objects:
                raise RefusedError(404, "NotFound", f"{name} not found")
            return self.objects[collection, namespace, name]

    def update(self, collection: str, namespace: str, name: str, obj: Json, *, dry: bool = False) -> Json:
        """Replace; a resourceVersion in the object must fit; nothing happens if nothing changes."""
        with self.changed:
            old = self.get(collection, namespace, name)
            wanted = (obj.get("metadata") or {}).get("resourceVersion")
            if wanted and wanted != old["metadata"]["resourceVersion"]:
                raise RefusedError(
                    409,
                    "Conflict",
                    "the object has been modified; please apply your changes to the latest version and try again",
                )
            obj = encoded(copy.deepcopy(obj))
            obj["metadata"] = {
                **obj["metadata"],
                "resourceVersion": old["metadata"]["resourceVersion"],
                "uid": old["metadata"]["uid"],
            }
            if namespace:
                obj["metadata"]["namespace"] = namespace
            if obj == old or dry:
                return obj
            return self.put(collection, namespace, obj, kind="MODIFIED")

    def delete(self, collection: str, namespace: str, name: str) -> Json:
        with self.changed:
            old = self.get(collection, namespace, name)
            del self.objects[collection, namespace, name]
            for key in [k for k in self.applied if k[0] == (collection, namespace, name)]:
                del self.applied[key]
            self.version += 1
            gone = copy.deepcopy(old)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.history.append(Past(self.version, collection, "DELETED", gone))
            self.changed.notify_all()
            return gone

    def apply(
        self, collection: str, namespace: str, name: str, body: Json, manager: str, *, force: bool, dry: bool
    ) -> Json:
        """Server-side apply: drops fields the manager no longer sets; foreign fields conflict unless forced."""
        with self.changed:
            key = (collection, namespace, name)
            before = self.applied.get((key, manager), {})
            if not force:
                for (other, who), theirs in self.applied.items():
                    if other == key and who != manager and (clash := _clash(theirs, body)):
                        raise RefusedError(
                            409, "Conflict", f"Apply failed with 1 conflict: conflict with {who!r}: .{clash}"
                        )
            old = self.objects.get(key)
            new = _merge(_remove(copy.deepcopy(old or {}), before, body), body)
            if not dry:
                self.applied[key, manager] = copy.deepcopy(body)
            if old is None:
                return copy.deepcopy(new) if dry else self.put(collection, namespace, new)
            return self.update(collection, namespace, name, new, dry=dry)


def encoded(obj: Json) -> Json:
    """A Secret as it is stored: ``stringData`` becomes a part of ``data``."""
    texts = obj.pop("stringData", None)
    if texts:
        obj["data"] = (obj.get("data") or {}) | {k: base64.b64encode(v.encode()).decode() for k, v in texts.items()}
    return obj


def matches(obj: Json, labels: str, fields: str) -> bool:
    """Equality selectors only."""
    have = obj["metadata"].get("labels") or {}
    for term in filter(None, labels.split(",")):
        k, _, v = term.partition("=")
        if have.get(k) != v:
            return False
    for term in filter(None, fields.split(",")):
        path, _, v = term.partition("=")
        value: Any = obj
        for part in path.split("."):
            value = (value or {}).get(part)
        if value != v:
            return False
    return True


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for k, v in patch.items():
        if v is None:
            out.pop(k, None)
        else:
            out[k] = merge_patch(out.get(k), v)
    return out


def _merge(a: Json, b: Json) -> Json:
    out = dict(a)
    for k, v in b.items():
        out[k] = _merge(out[k], v) if isinstance(v, dict) and isinstance(out.get(k), dict) else copy.deepcopy(v)
    return out


def _remove(obj: Json, before: Json, now: Json) -> Json:
    for k, v in before.items():
        if k not in now:
            obj.pop(k, None)
        elif isinstance(v, dict) and isinstance(now[k], dict) and isinstance(obj.get(k), dict):
            _remove(obj[k], v, now[k])
    return obj


def _clash(theirs: Json, ours: Json, path: str = "") -> str:
    for k, v in ours.items():
        if k not in theirs or (not path and k in ("apiVersion", "kind", "metadata")):
            continue
        here = f"{path}.{k}".lstrip(".")
        if isinstance(v, dict) and isinstance(theirs[k], dict):
            if found := _clash(theirs[k], v, here):
                return found
        elif v != theirs[k]:
            return here
    return ""
