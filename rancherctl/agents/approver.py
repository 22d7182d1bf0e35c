"""Approve or deny what hosts ask for: reads each pending request with openssl, judges it (csr.judge), writes the condition."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from rancherctl.agents import csr
from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import CommandFailedError, Transport
from rancherctl.kube.client import CSRS
from rancherctl.kube.objects import Node

log = logging.getLogger(__name__)


def read(transport: Transport, pem: str) -> csr.Content:
    """The content of a request; CommandFailedError if openssl cannot read it."""
    words = ("openssl", "req", "-noout", "-verify", "-nameopt", "multiline,utf8", "-text")
    return csr.parse_openssl(transport.run(command(*words, stdin=pem, root=False, timeout=10.0)).text())


class Approver:
    """Remembers what it ignored, so that a request is judged again only when it or the nodes changed."""

    def __init__(self, client: Fenced, transport: Transport) -> None:
        self._client, self._transport = client, transport
        self._contents: dict[str, csr.Content | None] = {}

    def run(self, requests: Mapping[str, csr.Request], nodes: Mapping[str, Node]) -> int:
        """Judge all pending requests; returns how many were decided."""
        pending = {k: r for k, r in requests.items() if r.pending and r.signer in {csr.SERVING, csr.CLIENT}}
        self._contents = {k: v for k, v in self._contents.items() if k in pending}
        return sum(self._decide(request, nodes) for request in pending.values())

    def _content(self, request: csr.Request) -> csr.Content | None:
        key = request.meta.name
        if key not in self._contents:
            try:
                self._contents[key] = read(self._transport, request.pem)
            except CommandFailedError as error:
                log.warning("certificate request %s cannot be read: %s", key, error)
                self._contents[key] = None
        return self._contents[key]

    def _decide(self, request: csr.Request, nodes: Mapping[str, Node]) -> int:
        content = self._content(request)
        verdict = csr.judge(request, content, nodes) if content else csr.Verdict("deny", "openssl cannot read the request")
        if verdict.answer == "ignore":
            return 0
        log.log(
            logging.INFO if verdict.answer == "approve" else logging.WARNING, "certificate request %s: %s: %s", request.meta.name, *_words(verdict)
        )
        try:
            body = self._client.get(CSRS, request.meta.name)
            self._client.replace(CSRS, _with_condition(body, verdict), subresource="approval")
        except (ConflictError, NotFoundError) as error:
            # Somebody else decided it or took it away: the watch brings the news.
            log.info("certificate request %s: %s", request.meta.name, error)
        return 1


def _words(verdict: csr.Verdict) -> tuple[str, str]:
    return ("approved" if verdict.answer == "approve" else "denied", verdict.why)


def _with_condition(body: Mapping[str, Any], verdict: csr.Verdict) -> dict[str, Any]:
    new = copy.deepcopy(dict(body))
    kind = "Approved" if verdict.answer == "approve" else "Denied"
    conditions = new.setdefault("status", {}).setdefault("conditions", [])
    now = micro_time()[:19] + "Z"
    conditions.append({"type": kind, "status": "True", "reason": "RancherctlController", "message": verdict.why[:1000], "lastUpdateTime": now})
    return new
