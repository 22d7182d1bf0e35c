"""The second lock of decision 18: a Lease in the environment's API, taken once the API can be asked, beside the lock files on hosts.

It keeps out an operator who reached other control-plane hosts than we did, and shows everybody with kubectl who is at work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rancherctl.environments.manifests.base import LABELS, SYSTEM
from rancherctl.errors import ConflictError, LockedError, NotFoundError, RancherctlError
from rancherctl.hosts.host_lock import HINT, Owner, lives
from rancherctl.kube.client import LEASES, AlreadyExistsError, Json, KubeClient

NAME = "rancherctl-operator"
OWNER = "rancherctl.io/owner"
REASON = "rancherctl.io/reason"
SECONDS = 900
"""How long it holds without a sign of life: longer than any phase. A dead process of the same machine is followed at once."""


class ApiLock:
    """``hosts.lease.Further`` over a Lease. ``force`` takes it from whoever has it (``--break-lock``)."""

    def __init__(
        self,
        client: KubeClient,
        owner: Owner,
        now: Callable[[], datetime],
        *,
        force: bool = False,
        alive: Callable[[Owner], bool] = lives,
    ) -> None:
        self._client, self._owner, self._now, self._force, self._alive = client, owner, now, force, alive
        self._identity = json.dumps(asdict(owner), sort_keys=True)
        self._stored: Json | None = None
        self._reason = ""

    def acquire(self, owner: str, reason: str) -> None:
        """Take it, or LockedError with who has it, since when and for what."""
        self._reason = reason
        try:
            found = self._client.get(LEASES, NAME, namespace=SYSTEM)
        except NotFoundError:
            try:
                self._stored = self._client.create(LEASES, self._body(owner, {}), namespace=SYSTEM)
            except AlreadyExistsError as error:
                raise LockedError(f"another operator took the environment a moment ago ({NAME})", hint=HINT) from error
            return
        if not self._free(found):
            raise LockedError(f"the environment is {_line(found)}", hint=HINT)
        self._write(owner, found)

    def verify(self) -> None:
        """Renew; LockedError when somebody else wrote it since. While the API is away nobody can tell: the files on hosts still hold."""
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
        """Give it back. An API that does not answer now lets it run out."""
        if self._stored is None:
            return
        body = {**self._stored, "spec": {**self._stored["spec"], "holderIdentity": ""}}
        self._stored = None
        try:
            self._client.replace(LEASES, body)
        except RancherctlError:
            return  # the API went away, or the lock was broken: in both cases it is not ours to give back any more

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
                "the lock in the API is no longer ours: somebody else wrote it", hint="run the same command again"
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
    return f"held by {spec.get('holderIdentity')} since {spec.get('acquireTime', 'an unknown time')} for {notes.get(REASON, 'an unknown reason')}"
