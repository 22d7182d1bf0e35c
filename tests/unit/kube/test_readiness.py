"""Three answers for each kind."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.kube.readiness import readiness


def obj(kind: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"generation": 2}, "spec": spec, "status": status or {}}


def cond(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


@pytest.mark.parametrize(
    ("thing", "ready", "failed", "why"),
    [
        (obj("Node", cond("Ready", "True")), True, False, ""),
        (
            obj("Node", cond("Ready", "False", "KubeletNotReady", "cni missing")),
            False,
            False,
            "KubeletNotReady: cni missing",
        ),
        (obj("Node", cond("Ready", "Unknown", "NodeStatusUnknown")), None, False, "NodeStatusUnknown"),
        (obj("Node"), None, False, ""),
        (obj("Pod", {"phase": "Running", **cond("Ready", "True")}), True, False, ""),
        (obj("Pod", {"phase": "Succeeded"}), True, False, ""),
        (obj("Pod", {"phase": "Failed", "reason": "Evicted"}), False, True, "Evicted"),
        (
            obj("Pod", cond("PodScheduled", "False", "Unschedulable", "0/3 nodes")),
            False,
            False,
            "Unschedulable: 0/3 nodes",
        ),
        (obj("Pod"), None, False, "no status yet"),
        (
            obj(
                "Pod",
                {
                    "phase": "Pending",
                    "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
                },
            ),
            False,
            True,
            "container c: ImagePullBackOff",
        ),
        (
            obj(
                "Pod",
                {
                    "phase": "Pending",
                    "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}],
                },
            ),
            False,
            False,
            "phase Pending",
        ),
        (
            obj("Deployment", {"observedGeneration": 1}, replicas=2),
            False,
            False,
            "the latest change has not been looked at yet",
        ),
        (
            obj("Deployment", {"observedGeneration": 2, "updatedReplicas": 1}, replicas=2),
            False,
            False,
            "1 of 2 updated",
        ),
        (
            obj("Deployment", {"updatedReplicas": 2, "replicas": 3, "availableReplicas": 3}, replicas=2),
            False,
            False,
            "1 old or surplus left",
        ),
        (
            obj("Deployment", {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}, replicas=2),
            False,
            False,
            "1 of 2 available",
        ),
        (obj("Deployment", {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, replicas=2), True, False, ""),
        (
            obj("Deployment", cond("Progressing", "False", "ProgressDeadlineExceeded"), replicas=2),
            False,
            True,
            "ProgressDeadlineExceeded",
        ),
        (obj("Deployment", {"observedGeneration": 2}, replicas=0), True, False, ""),
        (
            obj("StatefulSet", {"replicas": 2, "readyReplicas": 2}, replicas=2, updateStrategy={"type": "OnDelete"}),
            True,
            False,
            "",
        ),
        (obj("StatefulSet", {"replicas": 2, "readyReplicas": 2}, replicas=2), False, False, "0 of 2 updated"),
        (
            obj("DaemonSet", {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}),
            False,
            False,
            "2 of 3 available",
        ),
        (obj("DaemonSet"), None, False, "no status yet"),
        (obj("Job", cond("Failed", "True", "BackoffLimitExceeded")), False, True, "BackoffLimitExceeded"),
        (obj("Job", cond("Complete", "True")), True, False, ""),
        (obj("Service", type="LoadBalancer"), False, False, "no address yet"),
        (obj("Service", type="ClusterIP"), True, False, ""),
        (obj("CustomResourceDefinition", cond("NamesAccepted", "False", "Conflict")), False, True, "Conflict"),
        (obj("Widget"), True, False, ""),
        (obj("Widget", cond("Ready", "False", "Broken")), False, False, "Broken"),
        (obj("Widget", cond("Ready", "Unknown", "Asking")), None, False, "Asking"),
        ({"kind": "Widget", "metadata": {"deletionTimestamp": "2026"}}, False, False, "is being deleted"),
    ],
)
def test_readiness_is_ready_not_ready_or_unknown(
    thing: dict[str, Any], ready: bool | None, failed: bool, why: str
) -> None:
    got = readiness(thing)
    assert (got.ready, got.failed, got.why) == (ready, failed, why)
