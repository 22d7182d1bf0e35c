"""Health of members' addresses. Pure: time is passed in."""

from __future__ import annotations

from rancherctl.federation.model import FederatedService, ShardAddress


def verdict_keys(service: FederatedService, address: ShardAddress) -> tuple[str, ...]:
    """The verdicts that concern an address of a Service: the address's, and that of the Service's own check."""
    check = service.health_check
    if check is None or not address.ports:
        return (address.address,)
    own = f"{address.address} tcp:{min(address.ports)}" if check == "tcp" else ""
    if check.startswith("http:/"):
        own = f"{address.address} http:{min(address.ports)}{check.removeprefix('http:')}"
    return (address.address, own) if own else (address.address,)
