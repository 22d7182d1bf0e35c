"""Policies about Services against a real kube-apiserver; no hosts are needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.environments.inventory import from_flags
from rancherctl.environments.manifests.policies import policies
from rancherctl.errors import RancherctlError
from rancherctl.kube.client import SERVICES
from rancherctl.kube.kinds import Kinds
from rancherctl.kube.rest import RestClient
from tests.lab.apiserver import running
from tests.lab.services.lb_services import load_balancer
from tests.lab.support import until

DENIED = "written by its controller only"


def write(client: RestClient, address: str) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
    client.patch(SERVICES, "a", {"status": status}, namespace="default", subresource="status")


def denied(client: RestClient, address: str) -> bool:
    """Whether only the controller may add it; what is in the status already may stay."""
    write(client, "203.0.113.9")
    try:
        write(client, address)
    except RancherctlError as error:
        return DENIED in str(error) + error.why
    return False


def test_an_address_of_a_host_is_refused_in_any_spelling() -> None:
    """Case 78: an API server takes IPv6 addresses that are not in canonical form, and kube-proxy uses them."""
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    hosts = tuple(replace(h, public_address="2001:db8::11") for h in environment.hosts)
    with running() as api, api.client() as client:
        kinds = Kinds(client)
        for body in [*policies(replace(environment, hosts=hosts)), load_balancer("default", "a", 8201)]:
            client.apply(kinds.find(body), body, manager="test")
        until("the policy", lambda: denied(client, "10.0.0.11"))
        for address in ("2001:db8::11", "2001:DB8::11", "2001:db8:0::0011"):
            assert denied(client, address), address
        write(client, "2001:db8::12")
        with pytest.raises(RancherctlError):
            write(client, "010.0.0.11")
