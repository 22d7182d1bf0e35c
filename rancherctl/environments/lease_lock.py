"""The second lock of ADR 18: a Lease in the environment's API, beside the lock files on hosts.

It keeps out an operator who reaches other control-plane hosts than this one does, and kubectl shows who holds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rancherctl.environments.manifests.base import LABELS, SYSTEM
from rancherctl.errors import ConflictError, LockedError, NotFoundError, RancherctlError
from rancherctl.hosts.host_lock import HINT
from rancherctl.hosts.lock_owner import Owner, is_alive
from rancherctl.kube.client import LEASES, AlreadyExistsError, Json, KubeClient

NAME = "rancherctl-operator"
OWNER = "rancherctl.io/owner"
REASON = "rancherctl.io/reason"
SECONDS = 900
"""How long it is valid without renewal: longer than any phase. The lock of a dead process of this machine is free."""


class LeaseLock:
    """``host_lock.SecondLock`` as a Lease. ``force`` takes it from any holder (``--break-lock``)."""

    def __init__(
        self,
        client: KubeClient,
        owner: Owner,
        now: Callable[[], datetime],
        *,
        force: bool = False,
        alive: Callable[[Owner], bool] = is_alive,
    ) -> None:
        self._client, self._owner, self._now, self._force, self._alive = client, owner, now, force, alive
        self._identity = json.dumps(asdict(owner), sort_keys=True)
        self._stored: Json | None = None
        self._reason = ""

    def acquire(self, owner: str, reason: str) -> None:
        """Acquire it, or LockedError with its holder, since when and for what."""
        self._reason = reason
        try:
            found = self._client.get(LEASES, NAME, namespace=SYSTEM)
        except NotFoundError:
            try:
                self._stored = self._client.create(LEASES, self._body(owner, {}), namespace=SYSTEM)
            except AlreadyExistsError as error:
                raise LockedError(f"another operator has just locked the environment ({NAME})", hint=HINT) from error
            return
        if not self._free(found):
            raise LockedError(f"the environment is {_line(found)}", hint=HINT)
        self._write(owner, found)

    def verify(self) -> None:
        """Renew; LockedError if another process has taken it. While the API is down, the lock files must suffice."""
        if self._stored is None:
            return
        try:
            self._write(str(self._stored["spec"]["holderIdentity"]), self._stored)
        except LockedError:
            raise
        except RancherctlError as error:
            if not error.retryable:
                raise

    def release(self) -> None:
        """Release it. If the API does not answer, it expires."""
        if self._stored is None:
            return
        body = {**self._stored, "spec": {**self._stored["spec"], "holderIdentity": ""}}
        self._stored = None
        try:
            self._client.replace(LEASES, body)
        except RancherctlError:
            return  # the API went away, or the lock was broken: in both cases there is nothing left to release

    def _free(self, found: Json) -> bool:
        if self._force or not found.get("spec", {}).get("holderIdentity"):
            return True
        holder = found.get("metadata", {}).get("annotations", {}).get(OWNER, "")
        if holder == self._identity:
            return True
        try:
            dead = not self._alive(Owner(**json.loads(holder)))
        except (ValueError, TypeError):
            dead = False
        renewed = _time(found)
        return dead or (renewed is not None and self._now() - renewed > timedelta(seconds=SECONDS))

    def _write(self, owner: str, found: Json) -> None:
        try:
            self._stored = self._client.replace(LEASES, self._body(owner, found))
        except (ConflictError, NotFoundError) as error:
            raise LockedError(
                "the lock in the API was taken over by another process", hint="run the same command again"
            ) from error

    def _body(self, owner: str, found: Json) -> Json:
        stamp = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old: dict[str, Any] = found.get("spec", {})
        mine = found.get("metadata", {}).get("annotations", {}).get(OWNER) == self._identity
        meta = {
            "name": NAME,
            "namespace": SYSTEM,
            "labels": dict(LABELS),
            "annotations": {OWNER: self._identity, REASON: self._reason},
        }
        if found:
            meta["resourceVersion"] = found["metadata"]["resourceVersion"]
        spec = {
            "holderIdentity": owner,
            "leaseDurationSeconds": SECONDS,
            "acquireTime": old.get("acquireTime", stamp) if mine else stamp,
            "renewTime": stamp,
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


def _time(found: Json) -> datetime | None:
    try:
        return datetime.fromisoformat(str(found["spec"]["renewTime"]).replace("Z", "+00:00"))
    except (KeyError, ValueError):
        return None


def _line(found: Json) -> str:
    spec, notes = found.get("spec", {}), found.get("metadata", {}).get("annotations", {})
    since, reason = spec.get("acquireTime", "an unknown time"), notes.get(REASON, "an unknown reason")
    return f"held by {spec.get('holderIdentity')} since {since} for {reason}"
