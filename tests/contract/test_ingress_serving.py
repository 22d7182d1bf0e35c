"""Requests through a real HAProxy: routes, endpoints and options change without a reload."""

from __future__ import annotations

import dataclasses
import http.client
import socket
import threading

import pytest

from rancherctl.ingress.haproxy.pools import MIN_SLOTS
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


def test_the_first_ingress_opens_the_listeners_and_the_last_one_closes_them(lb_host: LoadBalancerHost) -> None:
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert list(section["served"]) == ["default/a"]
    assert section["ports"] == {str(lb_host.haproxy.port): ""}
    assert lb_host.haproxy.answer("foo.bar.com", "/foo/x") == "w1"
    assert lb_host.haproxy.answer("foo.bar.com", "/fool") == "404"
    section = lb_host.reconcile([], {"web": ["w1"]})
    assert section["served"] == {}
    with pytest.raises(ConnectionRefusedError):
        lb_host.haproxy.answer("foo.bar.com", "/foo")


def test_new_routes_and_endpoint_changes_need_no_reload(lb_host: LoadBalancerHost) -> None:
    first = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    pid = first["haproxy"]["pid"]
    more = [
        fake.ingress("a", FOO),
        fake.ingress("b", [("b.com", "Exact", "/x", "b:http"), ("*.b.com", "Prefix", "/", "web:80")]),
    ]
    section = lb_host.reconcile(more, {"web": ["w1"], "b": ["b1", "b2"]})
    assert lb_host.haproxy.answer("b.com", "/x") in {"b1", "b2"}
    assert lb_host.haproxy.answer("q.b.com", "/zz") == "w1"
    for turn in range(30):
        section = lb_host.reconcile(
            more, {"web": [f"w{turn % 7}", f"w{(turn + 1) % 7}"], "b": ["b1"] if turn % 2 else []}
        )
        assert {lb_host.haproxy.answer("foo.bar.com", "/foo") for _ in range(4)} == {
            f"w{turn % 7}",
            f"w{(turn + 1) % 7}",
        }
        assert lb_host.haproxy.answer("b.com", "/x") == ("b1" if turn % 2 else "503")
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert lb_host.haproxy.answer("b.com", "/x") == "404"
    assert section["haproxy"]["pid"] == pid
    assert section["metrics"]["reloads"] == first["metrics"]["reloads"]


def test_ingresses_with_other_options_for_one_service_do_not_share_them(lb_host: LoadBalancerHost) -> None:
    """The pod answers ``/slow`` after a second; without the annotation the limit is five minutes."""
    slow = ("slow.com", "Prefix", "/", "web:80")
    for notes in ({"ingress.rancherctl.io/timeout-read": "200ms"}, {}):
        section = lb_host.reconcile(
            [fake.ingress("a", FOO), fake.ingress("slow", [slow], annotations=notes, version=repr(notes))],
            {"web": ["w1"]},
        )
        assert set(section["served"]) == {"default/a", "default/slow"}
        assert lb_host.haproxy.answer("slow.com", "/x") == "w1"
        assert lb_host.haproxy.answer("slow.com", "/slow") == ("504" if notes else "w1")
        assert lb_host.haproxy.answer("foo.bar.com", "/foo/slow") == "w1"


def test_an_endpoint_in_an_unusual_spelling_affects_no_other_ingress(lb_host: LoadBalancerHost) -> None:
    """The API accepts addresses that are not in their shortest form; HAProxy reports the shortest one."""
    odd = dataclasses.replace(fake.endpoint_slice("odd", [("FD00:0::00AB", 8080)]), address_type="IPv6")
    ingresses = [fake.ingress("a", FOO), fake.ingress("odd", [("odd.com", "Prefix", "/", "odd:80")])]
    services = [fake.service("web"), fake.service("odd")]
    for slices in (lb_host.slices({"web": ["w1"]}), [*lb_host.slices({"web": ["w1"]}), odd]):
        lb_host.now += 1
        section = lb_host.role.reconcile(fake.snapshot(ingresses, services, slices))
        assert section["alarm"] == ""
        assert set(section["served"]) == {"default/a", "default/odd"}


def test_forwarded_headers_of_clients_are_replaced(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    _, body = lb_host.haproxy.request(
        "foo.bar.com:80", "/foo", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    )
    seen = body["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == "foo.bar.com:80"
    assert seen["x-forwarded-port"] == str(lb_host.haproxy.port)


def test_a_slot_with_connections_to_its_old_pod_gets_no_other_pod(lb_host: LoadBalancerHost) -> None:
    """A request that runs while its server is removed leaves an idle connection, which a reused slot would use."""
    names = [f"w{i}" for i in range(11)]  # so many that the last one would get the first slot
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w0"]})
    connection = http.client.HTTPConnection("127.0.0.1", lb_host.haproxy.port, timeout=60)
    connection.request("GET", "/foo", headers={"Host": "foo.bar.com"})
    connection.getresponse().read()
    slow = threading.Thread(
        target=lambda: (
            connection.request("GET", "/foo/slow", headers={"Host": "foo.bar.com"}),
            connection.getresponse().read(),
        )
    )
    slow.start()
    for name in names[1:]:  # more changes than there are slots, while the slow request runs
        lb_host.reconcile([fake.ingress("a", FOO)], {"web": [name]})
    slow.join()
    for _ in range(5):
        assert lb_host.haproxy.answer("foo.bar.com", "/foo") == names[-1]
        connection.request("GET", "/foo", headers={"Host": "foo.bar.com"})
        assert names[-1].encode() in connection.getresponse().read()
    connection.close()


def _lose_power(pod: fake.Pod) -> list[socket.socket]:
    """Make a pod behave like one on a host without power: no answer, not even a refusal. The backlog is full."""
    pod.close()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(pod.endpoint)
    listener.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(pod.endpoint)
    return [listener, *waiting]


def test_a_lost_host_with_many_pods_fails_no_request(lb_host: LoadBalancerHost) -> None:
    """Five of ten pods vanish at once: before any check notices it, retries lead each request to a living pod."""
    nodes = {f"w{n}": "h1" if n < 5 else "h2" for n in range(10)}
    for n, name in enumerate(nodes):
        lb_host.pods[name] = fake.Pod(name, f"127.0.0.{n + 2}")
    slices = [fake.endpoint_slice("web", [lb_host.pods[name].endpoint], node=node) for name, node in nodes.items()]
    lb_host.role.reconcile(fake.snapshot([fake.ingress("a", FOO)], [fake.service("web")], slices))
    assert lb_host.role.store.current is not None
    for pool in lb_host.role.store.current.layout.pools:
        for slot in pool.slots:
            lb_host.driver.socket.send(f"disable health {pool.name}/{slot.name}")
    lost = [_lose_power(lb_host.pods.pop(name)) for name, node in nodes.items() if node == "h1"]
    assert {lb_host.haproxy.answer("foo.bar.com", "/foo") for _ in range(5)} <= {
        name for name, node in nodes.items() if node == "h2"
    }
    for each in lost:
        for one in each:
            one.close()


def test_a_server_added_at_run_time_keeps_no_idle_connection(lb_host: LoadBalancerHost) -> None:
    """It cannot have `tcp-ut`: a request on an idle connection to a lost host would hang for minutes."""
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w0"]})
    names = [f"w{n}" for n in range(9)]
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": names})
    assert lb_host.role.store.current is not None
    (pool,) = (p for p in lb_host.role.store.current.layout.pools if p.backend)
    assert len(pool.slots) > MIN_SLOTS
    assert {lb_host.haproxy.answer("foo.bar.com", "/foo") for _ in range(40)} == set(names)
    kept = {int(slot[1:]) for _, slot in lb_host.driver.busy((pool.name,))}
    assert kept == set(range(1, MIN_SLOTS + 1))


def test_http_checks_distinguish_answers_unknown_routes_and_missing_endpoints(lb_host: LoadBalancerHost) -> None:
    from rancherctl.ingress.operator import http_check

    rules = [*FOO, ("foo.bar.com", "Prefix", "/empty", "gone:80")]
    lb_host.reconcile([fake.ingress("a", rules)], {"web": ["w1"], "gone": []})
    asked = [
        http_check.HttpCheck("default/a", "127.0.0.1", host, path)
        for host, path in (("foo.bar.com", "/foo"), ("foo.bar.com", "/x"), ("foo.bar.com", "/empty"))
    ]
    assert [(p.ok, p.status) for p in http_check.run_checks(asked, lb_host.haproxy.port)] == [
        (True, 200),
        (False, 404),
        (None, 503),
    ]
    lb_host.haproxy.stop()
    assert http_check.run_check(asked[0], lb_host.haproxy.port).ok is False
