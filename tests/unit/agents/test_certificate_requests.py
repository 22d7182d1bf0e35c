"""CertificateRequestController: decides each request of a host once, in batches, on fresh data before a denial."""

import base64
import copy
import ipaddress
from typing import Any

import pytest
from cryptography import x509

from rancherctl.agents import csr
from rancherctl.agents.controllers.certificate_requests import MAX_DECISIONS, CertificateRequestController
from rancherctl.kube.certificate_requests import certificate_request
from rancherctl.kube.client import NODES as NODES_RESOURCE
from rancherctl.kube.client import InvalidObjectError
from rancherctl.kube.objects import Meta, Node
from tests.fakes.certificate_requests import API_NAMES, request_pem
from tests.fakes.controllers import Leadership

NODES = {"h1": Node(Meta("", "h1"), (("InternalIP", "10.77.0.11"), ("Hostname", "h1")), (), True, False)}
SERVICES = "10.43.0.0/16"
USAGES = ["digital signature", "key encipherment", "server auth"]


class RequestStore:
    """Stores certificate requests; those in ``broken`` cannot be written."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.stored = {b["metadata"]["name"]: b for b in bodies}
        self.broken: set[str] = set()
        self.node: dict[str, Any] = {
            "metadata": {"name": "h1"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.77.0.11"}]},
        }

    def get(self, resource: object, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.node if resource is NODES_RESOURCE else self.stored[name])

    def replace(self, _: object, body: dict[str, Any], *, subresource: str) -> dict[str, Any]:
        assert subresource == "approval"
        name = body["metadata"]["name"]
        kinds = [c["type"] for c in body["status"]["conditions"]]
        if name in self.broken or len(kinds) != 1:
            raise InvalidObjectError(f"{name}: {kinds}")
        self.stored[name] = body
        return body

    def conditions(self, name: str) -> list[str]:
        return [c["type"] for c in (self.stored[name].get("status") or {}).get("conditions", ())]


def stored(name: str, pem: str, *, uid: str = "1", username: str = "system:node:h1") -> dict[str, Any]:
    spec = {
        "signerName": csr.SERVING,
        "username": username,
        "groups": [csr.NODE_GROUP],
        "usages": USAGES,
    }
    return {"metadata": {"name": name, "uid": uid}, "spec": spec | {"request": base64.b64encode(pem.encode()).decode()}}


def decide(api: RequestStore, seen: list[dict[str, Any]]) -> int:
    requests = {b["metadata"]["name"]: certificate_request(b) for b in seen}
    return CertificateRequestController(api, Leadership(), SERVICES).decide(requests, NODES)  # type: ignore[arg-type]


def test_requests_of_hosts_are_decided_once_and_others_never() -> None:
    good, bad, foreign = (
        stored("good", request_pem([x509.DNSName("h1")])),
        stored("bad", request_pem([*API_NAMES])),
        stored("foreign", "torn", username="someone"),
    )
    torn = stored("torn", "torn")
    api = RequestStore(good, bad, foreign, torn)
    every = [copy.deepcopy(b) for b in api.stored.values()]
    assert decide(api, every) == 3
    assert [api.conditions(n) for n in ("good", "bad", "foreign", "torn")] == [["Approved"], ["Denied"], [], ["Denied"]]
    assert decide(api, every) == 0, "a decided request stays as it is although the watch is late"


def test_a_late_watch_does_not_deny_a_kubelet_whose_address_just_changed() -> None:
    asked: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("10.77.0.99"))]
    api = RequestStore(stored("late", request_pem(asked)))
    api.node["status"]["addresses"][0]["address"] = "10.77.0.99"
    assert decide(api, list(api.stored.values())) == 1
    assert api.conditions("late") == ["Approved"]
    api = RequestStore(stored("foreign", request_pem(asked)))
    assert decide(api, list(api.stored.values())) == 1
    assert api.conditions("foreign") == ["Denied"]


def test_a_new_request_with_the_name_of_another_is_not_approved_in_its_place() -> None:
    api = RequestStore(stored("x", request_pem([*API_NAMES]), uid="2"))
    assert decide(api, [stored("x", request_pem([x509.DNSName("h1")]), uid="1")]) == 0
    assert api.conditions("x") == []


def test_a_request_that_cannot_be_written_does_not_delay_the_others() -> None:
    every = [stored(n, request_pem([x509.DNSName("h1")])) for n in ("a", "b", "c")]
    api = RequestStore(*copy.deepcopy(every))
    api.broken.add("a")
    with pytest.raises(InvalidObjectError):
        decide(api, every)
    assert [api.conditions(n) for n in "abc"] == [[], ["Approved"], ["Approved"]]


def test_thousands_of_requests_are_decided_in_batches() -> None:
    """Each costs two round trips, and the same thread detects dead hosts."""
    every = [stored(f"r{n}", "torn") for n in range(2 * MAX_DECISIONS + 1)]
    api = RequestStore(*copy.deepcopy(every))
    assert [decide(api, list(api.stored.values())) for _ in range(4)] == [MAX_DECISIONS, MAX_DECISIONS, 1, 0]


def test_a_decided_request_is_not_pending() -> None:
    body = {
        "metadata": {"name": "x"},
        "spec": {"request": "", "signerName": csr.SERVING},
        "status": {"conditions": [{"type": "Denied"}]},
    }
    assert not certificate_request(body).pending
    del body["status"]
    assert certificate_request(body).pending
