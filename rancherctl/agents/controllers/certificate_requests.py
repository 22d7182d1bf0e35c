"""Approve or deny what hosts ask for: reads each pending request (pkcs10), judges it (csr.judge), writes the condition."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from rancherctl.agents import csr, pkcs10
from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube import objects
from rancherctl.kube.client import CSRS, NODES
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Node

log = logging.getLogger(__name__)
PART = 50
"""Requests decided in one look: whoever makes thousands must not keep the controller from seeing that a host died."""


class Approver:
    """Decides through ``client``; ``services`` and ``owners`` as ``csr.judge`` takes them."""

    def __init__(self, client: Fenced, services: str, owners: Mapping[str, str] | None = None) -> None:
        self._client, self._services, self._owners = client, services, owners

    def run(self, requests: Mapping[str, csr.Request], nodes: Mapping[str, Node]) -> int:
        """Judge pending requests, some at a time; returns how many were decided."""
        pending = [r for r in requests.values() if r.pending and csr.ours(r)]
        errors: list[RancherctlError] = []
        decided = 0
        for request in pending:
            if decided + len(errors) >= PART:
                break
            try:
                decided += self._decide(request, nodes)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                errors.append(error)  # one that cannot be written does not hold up the others
        if errors:
            raise errors[0]
        return decided

    def _decide(self, request: csr.Request, nodes: Mapping[str, Node]) -> int:
        try:
            verdict = self._judge(request, nodes)
            if verdict.answer == "ignore":
                return 0
            body = self._client.get(CSRS, request.meta.name)
            now = csr.parse(body)
            if not now.pending or now.meta.uid != request.meta.uid:
                return 0  # decided, or another request of that name: the watch brings the news
            self._client.replace(CSRS, _with_condition(body, verdict), subresource="approval")
        except (ConflictError, NotFoundError) as error:
            # Somebody else decided it or took it away: the watch brings the news.
            log.info("certificate request %s: %s", request.meta.name, error)
            return 0
        level = logging.INFO if verdict.answer == "approve" else logging.WARNING
        log.log(level, "certificate request %s: %s: %s", request.meta.name, *_words(verdict))
        return 1

    def _judge(self, request: csr.Request, nodes: Mapping[str, Node]) -> csr.Verdict:
        """A denial is for ever: before it the Node is read as it is now, because a kubelet asks right after it has changed its addresses."""
        try:
            content = pkcs10.parse(request.pem)
        except ValueError as error:
            return csr.Verdict("deny", f"the request cannot be read: {error}")
        verdict = csr.judge(request, content, nodes, self._services, self._owners)
        if verdict.answer != "deny" or request.signer != csr.SERVING:
            return verdict
        name = request.username.removeprefix(csr.NODE_PREFIX)
        fresh = {**nodes, name: objects.node(self._client.get(NODES, name))}
        return csr.judge(request, content, fresh, self._services, self._owners)


def _words(verdict: csr.Verdict) -> tuple[str, str]:
    return ("approved" if verdict.answer == "approve" else "denied", verdict.why)


def _with_condition(body: Mapping[str, Any], verdict: csr.Verdict) -> dict[str, Any]:
    new = copy.deepcopy(dict(body))
    kind = "Approved" if verdict.answer == "approve" else "Denied"
    conditions = new.setdefault("status", {}).setdefault("conditions", [])
    now = micro_time()[:19] + "Z"
    conditions.append(
        {
            "type": kind,
            "status": "True",
            "reason": "RancherctlController",
            "message": verdict.why[:1000],
            "lastUpdateTime": now,
        }
    )
    return new
