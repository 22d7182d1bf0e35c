"""Questions, answers, and comparing the answers of all hosts."""

from __future__ import annotations

import json

from rancherctl.dns import lookup
from rancherctl.dns.lookup import Answer, compare, question


def test_names_and_addresses_become_absolute_questions() -> None:
    assert question("mongodb.prod.svc", "", "cluster.local") == (("mongodb.prod.svc.cluster.local.",), "A")
    assert question("10.43.0.1", "", "cluster.local") == (("1.0.43.10.in-addr.arpa.",), "PTR")
    assert question("x.svc.", "", "cluster.local") == (("x.svc.",), "A")
    assert question("Web.prod.svc.Cluster.local", "", "cluster.local") == (("web.prod.svc.cluster.local.",), "A")
    assert question("cluster.local", "ns", "cluster.local") == (("cluster.local.",), "NS")
    assert question("mongodb", "", "cluster.local") == (("mongodb.",), "A")


def test_names_that_a_pod_resolves_in_the_cluster_are_tried_there_first() -> None:
    assert question("mongodb.prod", "", "cluster.local") == (("mongodb.prod.svc.cluster.local.", "mongodb.prod."), "A")
    assert question("_m._tcp.db.prod", "srv", "k8s.io") == (("_m._tcp.db.prod.svc.k8s.io.", "_m._tcp.db.prod."), "SRV")
    assert question("Example.com.", "aaaa", "cluster.local") == (("example.com.",), "AAAA")
    assert question("a.b.c.d.e.f", "", "cluster.local") == (("a.b.c.d.e.f.",), "A")
    ends = ("shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local.")
    assert question("db", "", "cluster.local", "shop") == ((*(f"db.{end}" for end in ends), "db."), "A")
    assert question("db.cluster.local", "", "cluster.local", "shop") == (("db.cluster.local.",), "A")
    assert question("db.", "", "cluster.local", "shop") == (("db.",), "A")


def answer(*data: str, rcode: str = "NOERROR", server: str = "s") -> Answer:
    return Answer(server, rcode, tuple(("n.", 5, "A", d) for d in data))


def test_servers_with_another_answer_are_named() -> None:
    found = compare(
        {"h1": (answer("1", "2"),), "h2": (answer("2", "1"),), "h3": (answer("1"),), "h4": (answer(rcode=""),)}
    )
    assert found.common is not None
    assert found.common.data() == ("1", "2")
    assert found.differing == (("h3", "s"), ("h4", "s"))
    assert compare({"h1": (answer(rcode=""),)}).common is None


def test_an_answer_round_trips_through_json() -> None:
    one = Answer("10.43.0.10", "NOERROR", (("n.", 5, "A", "10.0.0.1"),), True, 0.7)
    assert Answer.of(json.loads(json.dumps(one.as_json()))) == one


def test_a_server_that_does_not_answer_is_reported() -> None:
    (found,) = lookup.query_local("a.example.", "A", ("127.0.0.1",), port=9, timeout=0.3)
    assert found.rcode == ""
    assert found.error
