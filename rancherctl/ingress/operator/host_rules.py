"""The rules of one host's load balancer, made from what its agent renders HAProxy's configuration from. Pure."""

from __future__ import annotations

from rancherctl.ingress.matcher import RuleTable
from rancherctl.ingress.role.desired import Desired


def rule_table(built: Desired) -> RuleTable:
    """The rules of the host that ``built`` is for."""
    model = built.host.model
    owned = [(built.merged.owners[route.claim][0], route) for route in model.routes]
    return RuleTable(owned, model.bare, model.tls, frozenset({(x.protocol, x.port) for x in model.listeners}))
