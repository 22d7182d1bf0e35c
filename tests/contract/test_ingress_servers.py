"""Annotations that choose servers, through a real HAProxy: stickiness, methods, local targets, checks."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.haproxy.pools import MIN_SLOTS
from rancherctl.polling import poll_until
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost


def _ingress(options: dict[str, str]) -> Any:
    notes = {INGRESS_PREFIX + name: text for name, text in options.items()}
    return fake.ingress("o", [("o.com", "Prefix", "/", "web:80")], annotations=notes, version=repr(options))


def _get(host: LoadBalancerHost, headers: dict[str, str] | None = None) -> tuple[str, str]:
    """Name of the pod, and the cookie that was set ("" = none)."""
    connection = http.client.HTTPConnection("127.0.0.1", host.haproxy.port, timeout=60)
    try:
        connection.request("GET", "/", headers={"Host": "o.com", **(headers or {})})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    assert response.status == 200, body
    return json.loads(body)["pod"], (response.getheader("Set-Cookie") or "").partition(";")[0]


def _pods(host: LoadBalancerHost, count: int, headers: dict[str, str] | None = None) -> set[str]:
    return {_get(host, headers)[0] for _ in range(count)}


def test_a_sticky_client_stays_with_its_pod_over_changes_and_reloads_and_gets_another_when_it_is_gone(
    lb_host: LoadBalancerHost,
) -> None:
    sticky = _ingress({"sticky": "cookie"})
    plain = fake.ingress("plain", [("plain.com", "Prefix", "/", "web:80")])

    def serve(*pods: str) -> Any:
        return lb_host.reconcile([plain, sticky], {"web": pods})["metrics"]["reloads"]

    first = serve("w1", "w2", "w3")
    pod, cookie = _get(lb_host)
    assert _pods(lb_host, 6, {"Cookie": cookie}) == {pod}
    assert _get(lb_host, {"Cookie": cookie})[1] == "", "a client with a cookie gets no other"
    others = [name for name in ("w1", "w2", "w3") if name != pod]
    for turn in range(MIN_SLOTS):  # other pods come and go: slots get other servers
        assert serve(pod, others[0], f"n{turn}") == first
        assert _pods(lb_host, 4, {"Cookie": cookie}) == {pod}
    lb_host.reload()
    assert _pods(lb_host, 4, {"Cookie": cookie}) == {pod}
    serve(*others)
    instead, fresh = _get(lb_host, {"Cookie": cookie})
    assert instead in others
    assert fresh not in {"", cookie}
    serve(*others, pod)
    assert _pods(lb_host, 4, {"Cookie": cookie}) == {pod}, "the value says which address, whatever slot it is in"


def test_sticky_values_are_the_same_on_all_hosts_and_differ_between_clusters(lb_host: LoadBalancerHost) -> None:
    slices = lb_host.slices({"web": ["w1"]})
    values = set()
    for uid in ("one", "one", "another"):
        services = [fake.service("web"), fake.service("kubernetes", uid=uid)]
        lb_host.now += 1
        lb_host.role.reconcile(fake.snapshot([_ingress({"sticky": "cookie"})], services, slices))
        values.add(_get(lb_host)[1])
    assert len(values) == 2


def test_more_sticky_servers_than_slots_need_a_reload_because_added_ones_would_get_no_cookie(
    lb_host: LoadBalancerHost,
) -> None:
    first = lb_host.reconcile([_ingress({"sticky": "cookie"})], {"web": ["w0"]})["metrics"]["reloads"]
    names = [f"w{n}" for n in range(2 * MIN_SLOTS)]
    assert lb_host.reconcile([_ingress({"sticky": "cookie"})], {"web": names})["metrics"]["reloads"] == first + 1
    found = {_get(lb_host) for _ in range(4 * len(names))}
    assert {pod for pod, _ in found} == set(names)
    assert len({cookie for _, cookie in found}) == len(names)


def test_a_method_by_client_gives_all_requests_of_one_to_one_server(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([_ingress({"balance": "source"})], {"web": ["w1", "w2", "w3"]})
    assert len(_pods(lb_host, 9)) == 1


def test_a_method_by_header_spreads_values_and_most_stay_when_another_server_comes(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([_ingress({"balance": "hdr:X-User"})], {"web": ["w1", "w2", "w3"]})
    users = {f"u{n}": _pods(lb_host, 3, {"X-User": f"u{n}"}) for n in range(12)}
    assert all(len(pods) == 1 for pods in users.values())
    assert set.union(*users.values()) == {"w1", "w2", "w3"}
    lb_host.reconcile([_ingress({"balance": "hdr:X-User"})], {"web": ["w1", "w2", "w3", "w4"]})
    kept = [user for user, pods in users.items() if _pods(lb_host, 1, {"X-User": user}) == pods]
    assert len(kept) >= 6


def _on_nodes(host: LoadBalancerHost, nodes: dict[str, str]) -> Iterable[Any]:
    return [fake.endpoint_slice("web", [host.pod(pod).endpoint], node=node) for pod, node in nodes.items()]


@pytest.mark.parametrize(
    ("target", "nodes", "expected"),
    [
        ("only-local", {"w1": "h1", "w2": "h2"}, {"w1"}),
        ("prefer-local", {"w1": "h1", "w2": "h2"}, {"w1"}),
        ("prefer-local", {"w2": "h2", "w3": "h3"}, {"w2", "w3"}),
    ],
)
def test_local_targets_get_the_requests_of_their_ingress_only(
    lb_host: LoadBalancerHost, target: str, nodes: dict[str, str], expected: set[str]
) -> None:
    everywhere = fake.ingress("all", [("all.com", "Prefix", "/", "web:80")])
    ingresses = [everywhere, _ingress({"target": target})]
    lb_host.role.reconcile(fake.snapshot(ingresses, [fake.service("web")], _on_nodes(lb_host, nodes)))
    assert _pods(lb_host, 6) == expected
    assert {lb_host.haproxy.answer("all.com", "/") for _ in range(6)} == set(nodes)


def test_only_local_without_an_endpoint_on_the_host_is_answered_with_503_and_reported(
    lb_host: LoadBalancerHost,
) -> None:
    slices = _on_nodes(lb_host, {"w2": "h2"})
    only = _ingress({"target": "only-local"})
    section = lb_host.role.reconcile(fake.snapshot([only], [fake.service("web")], slices))
    assert lb_host.haproxy.answer("o.com", "/") == "503"
    assert "default/web:80 has no ready endpoint on h1" in json.dumps(section["problems"])


def test_a_server_whose_checks_fail_gets_no_requests_and_returns_when_they_succeed(lb_host: LoadBalancerHost) -> None:
    options = {"check-path": "/healthz", "check-interval": "100ms", "check-status": "200"}
    lb_host.reconcile([_ingress(options)], {"web": ["w1", "w2"]})
    assert _pods(lb_host, 6) == {"w1", "w2"}
    lb_host.pod("w1").statuses["/healthz"] = 500
    assert poll_until(lambda: _pods(lb_host, 6) == {"w2"}, 20)
    lb_host.pod("w1").statuses["/healthz"] = 200
    assert poll_until(lambda: _pods(lb_host, 6) == {"w1", "w2"}, 20)
