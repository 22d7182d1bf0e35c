"""Which objects a role watches: the name of a table, the resource, the parser, and a selector. Pure values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.contract import COPY_LABEL, host_namespace
from rancherctl.kube import client, objects


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One watched kind. ``parse`` turns the API's JSON into a slim view; ``namespace`` "" = all."""

    name: str
    resource: client.Resource
    parse: Callable[[Mapping[str, Any]], Any]
    namespace: str = ""
    field_selector: str = ""
    label_selector: str = ""


SERVICES = TableSpec("services", client.SERVICES, objects.service)
ENDPOINTSLICES = TableSpec("endpointslices", client.ENDPOINTSLICES, objects.endpoint_slice)
PODS = TableSpec("pods", client.PODS, objects.pod)
NODES = TableSpec("nodes", client.NODES, objects.node)
INGRESSES = TableSpec("ingresses", client.INGRESSES, objects.ingress)
INGRESSCLASSES = TableSpec("ingressclasses", client.INGRESSCLASSES, objects.ingress_class)
TLS_SECRETS = TableSpec("tlssecrets", client.SECRETS, objects.tls_secret, field_selector="type=kubernetes.io/tls")
"""Of all namespaces: for the controller only."""
COPIES = "secretcopies"
"""Name of the table of ``copies_for``."""


def copies_for(node: str) -> TableSpec:
    """The copies of secrets that a host may read."""
    return TableSpec(COPIES, client.SECRETS, objects.secret_copy, host_namespace(node), label_selector=COPY_LABEL)
