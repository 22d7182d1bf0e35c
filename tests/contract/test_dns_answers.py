"""What a real named answers once the dns role has programmed it."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from rancherctl.dns import host
from rancherctl.dns.client import Channel
from rancherctl.dns.reconcile import DnsRole
from tests.fakes.dns_queries import addresses, ask, settle, values
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service
from tests.fakes.named import Named


def test_before_the_first_sync_a_name_fails_and_is_not_denied(named: Named, role: DnsRole, world: World) -> None:
    section = role.reconcile(world.snapshot(synced=False))
    assert not section["synced"]
    assert ask(named, "kubernetes.default.svc.cluster.local").rcode() == dns.rcode.SERVFAIL
    settle(role, world.snapshot())
    assert addresses(named, "kubernetes.default.svc.cluster.local") == ["10.43.0.1"]
    assert named.starts == 1


def test_services_endpoints_pods_and_aliases_have_their_records(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    assert addresses(named, "mongodb.default.svc.cluster.local") == ["10.43.7.7"]
    assert addresses(named, "mdb-0.mongodb.default.svc.cluster.local") == ["10.42.1.9"]
    assert addresses(named, "MDB-1.MongoDB.default.svc.Cluster.Local") == ["10.42.2.9"]
    assert addresses(named, "web.default.svc.cluster.local") == ["10.42.1.5", "10.42.2.5"]
    assert addresses(named, "10-42-1-5.web.default.svc.cluster.local") == ["10.42.1.5"]
    assert addresses(named, "10-42-1-5.default.pod.cluster.local") == ["10.42.1.5"]
    assert addresses(named, "dns-version.cluster.local", "TXT") == ['"1.1.0"']
    assert addresses(named, "7.7.43.10.in-addr.arpa", "PTR") == ["mongodb.default.svc.cluster.local."]
    assert addresses(named, "9.1.42.10.in-addr.arpa", "PTR") == ["mdb-0.mongodb.default.svc.cluster.local."]
    assert addresses(named, "_https._tcp.kubernetes.default.svc.cluster.local", "SRV") == [
        "0 100 443 kubernetes.default.svc.cluster.local."
    ]
    srv = ask(named, "_http._tcp.web.default.svc.cluster.local", "SRV")
    assert values(srv) == [
        "0 100 8080 10-42-1-5.web.default.svc.cluster.local.",
        "0 100 8080 10-42-2-5.web.default.svc.cluster.local.",
    ]
    assert sorted(r.to_text() for s in srv.additional for r in s) == ["10.42.1.5", "10.42.2.5"]
    assert values(ask(named, "ext.default.svc.cluster.local")) == ["10.43.0.1", "kubernetes.default.svc.cluster.local."]
    assert ask(named, "loop.default.svc.cluster.local").rcode() in (dns.rcode.NOERROR, dns.rcode.SERVFAIL)


def test_an_answer_has_its_name_as_the_question_wrote_it(named: Named, role: DnsRole, world: World) -> None:
    """Resolvers that mix cases against forged answers compare the two."""
    settle(role, world.snapshot())
    for start, kind in [("MongoDB", "A"), ("_HTTP._tcp.Web", "SRV"), ("Ext", "A")]:
        name = f"{start}.Default.svc.cluster.LOCAL."
        assert ask(named, name, kind).answer[0].name.to_text() == name
        assert ask(named, name, kind, tcp=True).answer[0].name.to_text() == name


def test_a_lookup_finds_what_a_pod_would_find(
    named: Named, role: DnsRole, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(role, world.snapshot())

    def look(name: str, kind: str = "") -> tuple[str, str, list[str]]:
        found = host.query(named.config, name, kind)
        (answer,) = found["answers"]
        return found["name"], answer["rcode"], [r["data"] for r in answer["records"]]

    assert look("mongodb.default") == ("mongodb.default.svc.cluster.local.", "NOERROR", ["10.43.7.7"])
    assert look("mdb-0.mongodb.default") == ("mdb-0.mongodb.default.svc.cluster.local.", "NOERROR", ["10.42.1.9"])
    assert look("mongodb.default", "AAAA") == ("mongodb.default.svc.cluster.local.", "NOERROR", [])
    assert look("10.43.7.7")[2] == ["mongodb.default.svc.cluster.local."]
    asked: list[str] = []
    monkeypatch.setattr("rancherctl.dns.pod_netns.run_in_netns", lambda address, ask: asked.append(address) or ask())
    pod = host.query(named.config, "mongodb", place=host.Place("10.42.1.5", "default"))
    assert (pod["name"], pod["answers"][0]["rcode"], asked) == (
        "mongodb.default.svc.cluster.local.",
        "NOERROR",
        ["10.42.1.5"],
    )
    assert look("nope.default.svc")[:2] == ("nope.default.svc.cluster.local.", "NXDOMAIN")
    assert look("nope.default")[:2] == ("nope.default.", "SERVFAIL"), "no upstream knows it"


def test_missing_names_are_nxdomain_and_missing_types_are_nodata(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    missing = ask(named, "nope.default.svc.cluster.local")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    (soa,) = missing.authority
    assert (soa.ttl, soa[0].minimum) == (5, 5)
    for name, kind in [
        ("mongodb.default.svc.cluster.local", "AAAA"),
        ("default.svc.cluster.local", "A"),
        ("svc.cluster.local", "A"),
    ]:
        answer = ask(named, name, kind)
        assert (answer.rcode(), values(answer), len(answer.authority)) == (dns.rcode.NOERROR, [], 1), name
    assert ask(named, "mdb-9.mongodb.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert ask(named, "mongodb.default.svc.cluster.local").answer[0].ttl == 5
    assert values(ask(named, "cluster.local", "NS")) == ["ns.dns.cluster.local."]


def test_changes_are_served_without_a_restart(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    world.add(endpoint_slice("web", [endpoint("10.42.2.5"), endpoint("10.42.3.5")], ports=[("http", "TCP", 8080)]))
    world.add(service("ext", "10.43.9.9"), service("mongodb", type="ExternalName", externalName="example.com"))
    del world.services["default/loop"]
    settle(role, world.snapshot())
    assert addresses(named, "web.default.svc.cluster.local") == ["10.42.2.5", "10.42.3.5"]
    assert ask(named, "10-42-1-5.web.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert addresses(named, "ext.default.svc.cluster.local") == ["10.43.9.9"]
    assert addresses(named, "mongodb.default.svc.cluster.local", "CNAME") == ["example.com."]
    assert ask(named, "loop.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    world.add(service("mongodb", "10.43.7.8"))
    settle(role, world.snapshot())
    assert addresses(named, "mongodb.default.svc.cluster.local") == ["10.43.7.8"]
    assert named.starts == 1


def test_a_thousand_endpoints_are_truncated_by_udp_and_complete_by_tcp_in_random_order(
    named: Named, role: DnsRole, world: World
) -> None:
    settle(role, world.snapshot())
    many = [f"10.42.{n // 250}.{n % 250}" for n in range(1000)]
    world.add(service("big", "None", ports=[("http", "TCP", 80)]))
    for part in range(10):
        world.add(
            endpoint_slice(
                "big",
                [endpoint(a) for a in many[part * 100 : part * 100 + 100]],
                name=f"big-{part}",
                ports=[("http", "TCP", 80)],
            )
        )
    settle(role, world.snapshot())
    small = ask(named, "big.default.svc.cluster.local")
    assert small.flags & dns.flags.TC
    assert values(ask(named, "big.default.svc.cluster.local", tcp=True)) == sorted(many)
    assert len(values(ask(named, "_http._tcp.big.default.svc.cluster.local", "SRV", tcp=True))) == 1000
    first = [r.to_text() for r in ask(named, "web.default.svc.cluster.local").answer[0]]
    assert any([r.to_text() for r in ask(named, "web.default.svc.cluster.local").answer[0]] != first for _ in range(30))


def test_strangers_may_not_read_or_write_zones(named: Named, role: DnsRole, world: World) -> None:
    import dns.update

    settle(role, world.snapshot())
    query = dns.message.make_query("cluster.local", "AXFR")
    assert dns.query.tcp(query, "127.0.0.1", timeout=60, port=named.config.port).rcode() == dns.rcode.REFUSED
    update = dns.update.UpdateMessage("cluster.local.")
    update.add("evil.cluster.local.", 5, "A", "192.0.2.1")
    assert dns.query.tcp(update, "127.0.0.1", timeout=60, port=named.config.port).rcode() == dns.rcode.REFUSED
    assert ask(named, "evil.cluster.local").rcode() == dns.rcode.NXDOMAIN


def test_answers_to_updates_need_no_general_library(
    named: Named, role: DnsRole, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long as the rest of an update."""
    settle(role, world.snapshot())

    def parse(*_: object) -> None:
        raise AssertionError("the answer was not read")

    monkeypatch.setattr(Channel, "_parse", parse)
    world.add(service("late", "10.43.0.77"))
    role.reconcile(world.snapshot())
    monkeypatch.undo()
    assert addresses(named, "late.default.svc.cluster.local") == ["10.43.0.77"]
