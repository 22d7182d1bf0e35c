"""Declarations of the controllers: which tables each one watches, and what it may write. Pure.

What they write outside their own namespace is limited to statuses, Events and approvals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rancherctl.contract import COPY_LABEL, MANAGED_BY, NAMESPACE
from rancherctl.kube import client, objects
from rancherctl.kube.certificate_requests import certificate_request
from rancherctl.kube.rbac import READ, Right, reading
from rancherctl.kube.tables import (
    ENDPOINTSLICES,
    INGRESSCLASSES,
    INGRESSES,
    NODES,
    SERVICES,
    TLS_SECRETS,
    TableSpec,
)
from rancherctl.role_spec import ControllerSpec

LEASES: Final = TableSpec("leases", client.LEASES, objects.lease, namespace=NAMESPACE)
CONFIGMAPS: Final = TableSpec("configmaps", client.CONFIGMAPS, objects.config_map, namespace=NAMESPACE)
CSRS: Final = TableSpec("csrs", client.CSRS, certificate_request)
COPIES: Final = TableSpec("copies", client.SECRETS, objects.meta, label_selector=COPY_LABEL)
"""Of all namespaces, which the controller may read anyway; it acts only on those of hosts."""
NETWORKPOLICIES: Final = TableSpec("networkpolicies", client.NETWORKPOLICIES, objects.meta)
FEDERATION_NAMESPACES: Final = TableSpec(
    "federationnamespaces", client.NAMESPACES, objects.meta, label_selector=MANAGED_BY
)
"""Those that rancherctl created; the namespace of a federation is one of them."""
SIGNERS: Final = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client")

WRITE_EVENTS: Final = Right("", "events", ("create", "patch"))
ELECTION: Final = Right(LEASES.resource.group, LEASES.resource.plural, (*READ, "create", "update"), namespace=NAMESPACE)
"""The leader election of the process that runs the controllers."""

ROSTER: Final = ControllerSpec(
    "roster",
    (NODES, LEASES, CONFIGMAPS),
    (Right("", "configmaps", ("create", "update"), namespace=NAMESPACE),),
    in_federation=True,
)
HOST_OBJECTS: Final = ControllerSpec(
    "host-objects",
    (NODES, LEASES, CONFIGMAPS),
    (
        Right(LEASES.resource.group, "leases", ("create", "delete"), namespace=NAMESPACE),
        Right("", "configmaps", ("create", "delete"), namespace=NAMESPACE),
    ),
    in_federation=True,
)
INGRESS_STATUSES: Final = ControllerSpec(
    "ingress-statuses",
    (INGRESSES, INGRESSCLASSES, CONFIGMAPS, TLS_SECRETS),
    (Right(INGRESSES.resource.group, "ingresses/status", ("patch",)), WRITE_EVENTS),
)
SERVICE_STATUSES: Final = ControllerSpec(
    "service-statuses",
    (SERVICES, ENDPOINTSLICES, CONFIGMAPS),
    (Right("", "services/status", ("patch",)), Right("", "configmaps", ("update",), namespace=NAMESPACE), WRITE_EVENTS),
)
CERTIFICATE_REQUESTS: Final = ControllerSpec(
    "certificate-requests",
    (CSRS, NODES),
    (
        Right(CSRS.resource.group, "certificatesigningrequests/approval", ("update",)),
        Right(CSRS.resource.group, "signers", ("approve",), SIGNERS),
    ),
    in_federation=True,
)
DNS_PROBLEMS: Final = ControllerSpec("dns-problems", (SERVICES, CONFIGMAPS), (WRITE_EVENTS,))
NETWORK_POLICIES: Final = ControllerSpec("network-policies", (NETWORKPOLICIES,), (WRITE_EVENTS,))

VANTAGE: Final = ControllerSpec("vantage", (FEDERATION_NAMESPACES,))
"""It reads and writes ConfigMaps in the namespace of a federation, where ``federation join`` gives it the rights."""

POD_PATHS: Final = ControllerSpec("pod-paths", (NODES, CONFIGMAPS), (Right("", "nodes/status", ("patch",)),))
SECRET_COPIES: Final = ControllerSpec("secret-copies", (INGRESSES, INGRESSCLASSES, CONFIGMAPS, TLS_SECRETS, COPIES))
"""It writes in the namespaces of hosts only, see ``COPY_RIGHTS``.

Secrets for other purposes than TLS are read by name (agents/named_secrets.py); the right to read TLS_SECRETS covers it.
"""
COPY_RIGHTS: Final = (Right("", "secrets", ("create", "update", "delete")),)
"""What the controller may do in the namespace of each host."""

CONTROLLERS: Final = (
    ROSTER,
    HOST_OBJECTS,
    INGRESS_STATUSES,
    SERVICE_STATUSES,
    CERTIFICATE_REQUESTS,
    NETWORK_POLICIES,
    SECRET_COPIES,
    VANTAGE,
    POD_PATHS,
    DNS_PROBLEMS,
)


def controllers_of(*, federation: bool) -> tuple[ControllerSpec, ...]:
    """The controllers of an environment. Those of a federation leave statuses to ``rancherctl-federation``."""
    return tuple(spec for spec in CONTROLLERS if spec.in_federation or not federation)


def controller_rights(specs: Iterable[ControllerSpec] = CONTROLLERS) -> tuple[Right, ...]:
    """What the process that runs the controllers may do."""
    return (ELECTION, *(r for spec in specs for r in (*map(reading, spec.tables), *spec.rights)))
