"""CertificateRequestController: approve or deny the certificate requests of kubelets and agents.

``pkcs10`` reads what is requested, ``csr.judge`` decides, this module writes the condition.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from rancherctl.agents import csr, pkcs10
from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube import objects
from rancherctl.kube.certificate_requests import CertificateRequest, certificate_request
from rancherctl.kube.client import CSRS, NODES
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Node
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers

log = logging.getLogger(__name__)
MAX_DECISIONS = 50
"""Requests decided in one call: thousands of requests must not delay the detection of a dead host."""


class CertificateRequestController:
    """Decide pending requests; ``services`` and ``owners`` as for ``csr.judge``."""

    spec = controllers.CERTIFICATE_REQUESTS

    def __init__(self, client: Fenced, leader: Leader, services: str, owners: Mapping[str, str] | None = None) -> None:
        self._client, self._leader, self._services, self._owners = client, leader, services, owners

    def reconcile(self, snapshot: Snapshot) -> None:
        """Decide what is pending, as leader."""
        requests, nodes = snapshot.table("csrs"), snapshot.table("nodes")
        if self._leader.leading and requests.synced and nodes.synced:
            self.decide(requests.items, nodes.items)

    def decide(self, requests: Mapping[str, CertificateRequest], nodes: Mapping[str, Node]) -> int:
        """Decide at most MAX_DECISIONS pending requests and return how many were decided.

        A request that cannot be written does not block the others; its error is raised at the end.
        """
        pending = [r for r in requests.values() if r.pending and csr.is_from_host(r)]
        errors: list[RancherctlError] = []
        decided = 0
        for request in pending:
            if decided + len(errors) >= MAX_DECISIONS:
                break
            try:
                decided += self._decide(request, nodes)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                errors.append(error)
        if errors:
            raise errors[0]
        return decided

    def _decide(self, request: CertificateRequest, nodes: Mapping[str, Node]) -> int:
        name = request.meta.name
        try:
            ruling = self._judge(request, nodes)
            if ruling.answer == "ignore":
                return 0
            body = self._client.get(CSRS, name)
            current = certificate_request(body)
            if not current.pending or current.meta.uid != request.meta.uid:
                return 0  # already decided, or a new request of the same name: the watch will deliver it
            self._client.replace(CSRS, _with_condition(body, ruling), subresource="approval")
        except (ConflictError, NotFoundError) as error:
            # Another process decided or deleted it: the watch will deliver that.
            log.info("certificate request %s changed meanwhile: %s", name, error)
            return 0
        if ruling.answer == "approve":
            log.info("approved certificate request %s: %s", name, ruling.why)
        else:
            log.warning("denied certificate request %s: %s", name, ruling.why)
        return 1

    def _judge(self, request: CertificateRequest, nodes: Mapping[str, Node]) -> csr.Ruling:
        """Judge on the watched Nodes; before a denial, which is final, read the Node again.

        A kubelet sends its request right after its addresses changed, so the watch may be late.
        """
        try:
            content = pkcs10.parse(request.pem)
        except ValueError as error:
            return csr.Ruling("deny", f"the request is not valid: {error}")
        ruling = csr.judge(request, content, nodes, self._services, self._owners)
        if ruling.answer != "deny" or request.signer != csr.SERVING:
            return ruling
        name = request.username.removeprefix(csr.NODE_PREFIX)
        fresh = {**nodes, name: objects.node(self._client.get(NODES, name))}
        return csr.judge(request, content, fresh, self._services, self._owners)


def _with_condition(body: Mapping[str, Any], ruling: csr.Ruling) -> dict[str, Any]:
    new = copy.deepcopy(dict(body))
    conditions = new.setdefault("status", {}).setdefault("conditions", [])
    now = micro_time()[:19] + "Z"
    conditions.append(
        {
            "type": "Approved" if ruling.answer == "approve" else "Denied",
            "status": "True",
            "reason": "RancherctlController",
            "message": ruling.why[:1000],
            "lastUpdateTime": now,
        }
    )
    return new
