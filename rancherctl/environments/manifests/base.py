"""Namespaces, the Service that reserves the DNS address, the IngressClass, the record of the last apply. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER, INGRESS_CONTROLLER, NAMESPACE
from rancherctl.environments.dump import dump, portable
from rancherctl.environments.layout import stamp
from rancherctl.environments.model import Environment
from rancherctl.kube.client import Json
from rancherctl.kube.manifests import Inventory

SYSTEM: Final = NAMESPACE
OPERATORS = "rancherctl-operators"
LABELS = {"app.kubernetes.io/managed-by": "rancherctl"}
RECORD = "environment"
RECORD_KEY: Final = "environment"
"""Key of the environment's file in the record."""
INVENTORY: Final = Inventory(SYSTEM, "inventory")
"""The ConfigMap that lists which of these objects were applied."""


def meta(name: str, namespace: str = "") -> Json:
    """metadata with rancherctl's label."""
    out: Json = {"name": name, "labels": dict(LABELS)}
    if namespace:
        out["namespace"] = namespace
    return out


def namespaces(environment: Environment) -> list[Json]:
    """The namespaces of rancherctl, of operators, and in a federation that of the credentials of its members."""
    names = (SYSTEM, OPERATORS, *((FEDERATION_CONTROLLER,) if environment.is_federation else ()))
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name)} for name in names]


def services(environment: Environment) -> list[Json]:
    """The IngressClass, and kube-dns without endpoints.

    kube-dns reserves the cluster IP on which each host's DNS server answers. A federation has neither DNS servers nor
    load balancers.
    """
    if environment.is_federation:
        return []
    dns = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            **meta("kube-dns", "kube-system"),
            "labels": {**LABELS, "k8s-app": "kube-dns", "kubernetes.io/name": "rancherctl"},
        },
        "spec": {
            "clusterIP": environment.service_ip(10),
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            ],
        },
    }
    ingress_class = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {
            **meta("rancher"),
            "annotations": {
                "ingressclass.kubernetes.io/is-default-class": str(environment.ingress.default_class).lower()
            },
        },
        "spec": {"controller": INGRESS_CONTROLLER},
    }
    return [dns, ingress_class]


def record(environment: Environment) -> Json:
    """The environment file as last applied, from which any operator can restore it.

    It does not depend on the operator's machine.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta(RECORD, SYSTEM),
        "data": {RECORD_KEY: dump(portable(environment)), **{key: str(value) for key, value in stamp().items()}},
    }
