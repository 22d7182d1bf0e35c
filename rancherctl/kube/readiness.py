"""Whether an object has reached its spec: yes, no or unknown, with a reason. Pure, like kstatus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready`` True, False, or None = could not tell. ``failed``: waiting alone will not help. ``why`` is one line."""

    ready: bool | None
    why: str = ""
    failed: bool = False


READY = Readiness(ready=True)


def readiness(obj: Json) -> Readiness:
    """The answer for any object; kinds without a rule are ready when no condition of theirs says otherwise."""
    meta = obj.get("metadata") or {}
    if meta.get("deletionTimestamp"):
        return Readiness(ready=False, why="is being deleted")
    seen = (obj.get("status") or {}).get("observedGeneration")
    if isinstance(seen, int) and seen < int(meta.get("generation") or 0):
        return Readiness(ready=False, why="the latest change has not been looked at yet")
    return _RULES.get(str(obj.get("kind")), _any)(obj)


def condition(obj: Json, kind: str) -> tuple[bool | None, str]:
    """(status, message) of a condition; None when it is absent or Unknown."""
    for c in (obj.get("status") or {}).get("conditions") or ():
        if c.get("type") == kind:
            text = ": ".join(t for t in (c.get("reason"), c.get("message")) if t)
            return {"True": True, "False": False}.get(c.get("status")), text
    return None, ""


def _node(obj: Json) -> Readiness:
    ok, text = condition(obj, "Ready")
    return Readiness(ok, text if ok is not True else "")


def _pod(obj: Json) -> Readiness:
    status = obj.get("status") or {}
    phase = status.get("phase")
    if phase == "Succeeded":
        return READY
    if phase == "Failed":
        return Readiness(ready=False, why=status.get("reason") or "the pod failed", failed=True)
    ok, text = condition(obj, "Ready")
    if ok:
        return READY
    scheduled, why = condition(obj, "PodScheduled")
    if scheduled is False:
        return Readiness(ready=False, why=why)
    if ok is None and not status:
        return Readiness(None, "no status yet")
    return _waiting(status) or Readiness(ready=False, why=text or f"phase {phase}")


def _waiting(status: Json) -> Readiness | None:
    """The first container that waits for something worth telling."""
    for c in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (c.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason not in ("", "ContainerCreating", "PodInitializing"):
            stuck = reason in (
                "CrashLoopBackOff",
                "ImagePullBackOff",
                "ErrImagePull",
                "InvalidImageName",
                "CreateContainerConfigError",
            )
            return Readiness(
                ready=False,
                why=f"container {c.get('name')}: {reason} {waiting.get('message', '')}".strip()[:300],
                failed=stuck,
            )
    return None


def _deployment(obj: Json) -> Readiness:
    status = obj.get("status") or {}
    ok, text = condition(obj, "Progressing")
    if ok is False and "ProgressDeadlineExceeded" in text:
        return Readiness(ready=False, why=text, failed=True)
    return _counts(
        obj,
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        total=status.get("replicas", 0),
    )


def _stateful_set(obj: Json) -> Readiness:
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete" or (strategy.get("rollingUpdate") or {}).get("partition"):
        updated = int(spec.get("replicas", 1))
    else:
        updated = status.get("updatedReplicas", 0)
    return _counts(obj, updated=updated, available=status.get("readyReplicas", 0), total=status.get("replicas", 0))


def _replica_set(obj: Json) -> Readiness:
    status = obj.get("status") or {}
    return _counts(
        obj,
        updated=status.get("replicas", 0),
        available=status.get("availableReplicas", 0),
        total=status.get("replicas", 0),
    )


def _counts(obj: Json, *, updated: int, available: int, total: int) -> Readiness:
    if not obj.get("status"):
        return Readiness(None, "no status yet")
    wanted = int((obj.get("spec") or {}).get("replicas", 1))
    if updated < wanted:
        return Readiness(ready=False, why=f"{updated} of {wanted} updated")
    if total > wanted:
        return Readiness(ready=False, why=f"{total - wanted} old or surplus left")
    if available < wanted:
        return Readiness(ready=False, why=f"{available} of {wanted} available")
    return READY


def _daemon_set(obj: Json) -> Readiness:
    s = obj.get("status") or {}
    if "desiredNumberScheduled" not in s:
        return Readiness(None, "no status yet")
    wanted = s["desiredNumberScheduled"]
    for name, field in (("updated", "updatedNumberScheduled"), ("available", "numberAvailable")):
        if s.get(field, 0) < wanted:
            return Readiness(ready=False, why=f"{s.get(field, 0)} of {wanted} {name}")
    return READY


def _job(obj: Json) -> Readiness:
    failed, text = condition(obj, "Failed")
    if failed:
        return Readiness(ready=False, why=text, failed=True)
    return READY if condition(obj, "Complete")[0] else Readiness(ready=False, why="not complete")


def _claim(obj: Json) -> Readiness:
    phase = (obj.get("status") or {}).get("phase")
    return READY if phase == "Bound" else Readiness(ready=False if phase else None, why=f"phase {phase}")


def _service(obj: Json) -> Readiness:
    if (obj.get("spec") or {}).get("type") == "LoadBalancer" and not (
        (obj.get("status") or {}).get("loadBalancer") or {}
    ).get("ingress"):
        return Readiness(ready=False, why="no address yet")
    return READY


def _definition(obj: Json) -> Readiness:
    names, text = condition(obj, "NamesAccepted")
    if names is False:
        return Readiness(ready=False, why=text, failed=True)
    ok, text = condition(obj, "Established")
    return READY if ok else Readiness(ok, text or "not established")


def _any(obj: Json) -> Readiness:
    for kind in ("Ready", "Available"):
        ok, text = condition(obj, kind)
        if ok is False:
            return Readiness(ready=False, why=text)
        if ok is None and any(c.get("type") == kind for c in (obj.get("status") or {}).get("conditions") or ()):
            return Readiness(None, text)
    return READY


_RULES: Mapping[str, Callable[[Json], Readiness]] = {
    "Node": _node,
    "Pod": _pod,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "ReplicaSet": _replica_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "CustomResourceDefinition": _definition,
}
