"""Explanations from answers of hosts and objects of the API: results, provenance, upstreams, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.dns import names
from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.api_objects import ApiObjects
from rancherctl.dns.operator.asked import Asker
from rancherctl.dns.operator.explanation import Explanation, explain
from rancherctl.dns.operator.host_trace import HostTrace, Step, UpstreamUse, upstream_uses
from rancherctl.dns.records import Shape
from rancherctl.dns.search import Resolver, of_namespace
from rancherctl.output.dns_explain import text
from tests.fakes.dns_explanations import api_objects
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service

ZONE = "cluster.local."
SHAPE = Shape("cluster.local", frozenset(names.all_zones("cluster.local", ("10.42.0.0/16", "10.43.0.0/16"))))
SERVER = "169.254.20.10"
POD = of_namespace("default", "cluster.local", (SERVER,), Resolver())
SOA = (ZONE, 5, "SOA", "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5")
MISSING = Answer(SERVER, "NXDOMAIN", authoritative=True, authority=(SOA,))
WEB = "web.shop.svc.cluster.local."
OUTSIDE = "www.example.com."


def records(name: str, *data: str, kind: str = "A", ttl: int = 5) -> Answer:
    return Answer(SERVER, "NOERROR", tuple((name, ttl, kind, one) for one in data))


def step(name: str, *answers: Answer, zone: str = ZONE, cached: bool | None = None, stub: str = "") -> Step:
    return Step(name, "A", zone, stub, cached, answers)


def host(
    *steps: Step,
    name: str = "h1",
    resolver: Resolver = POD,
    direct: Mapping[str, Sequence[Answer]] | None = None,
    upstreams: tuple[UpstreamUse, ...] = (UpstreamUse("10.0.0.1", 1), UpstreamUse("10.0.0.2", 2, used=False)),
) -> HostTrace:
    return HostTrace(
        name,
        resolver,
        (SERVER,),
        steps,
        upstreams,
        {(asked, "A"): tuple(part) for asked, part in (direct or {}).items()},
    )


def shop() -> ApiObjects:
    world = World()
    world.add(
        service("web", "10.43.7.7", ns="shop", ports=[("http", "TCP", 80)]),
        service("db", "None", ns="shop"),
        endpoint_slice(
            "db", [endpoint("10.42.1.6", pod="db-0"), endpoint("10.42.1.7", pod="db-1", ready=False)], ns="shop"
        ),
        service("kubernetes", "10.43.0.1"),
        service("ext", ns="shop", type="ExternalName", externalName="www.example.com"),
    )
    return api_objects(world)


def look(name: str, *traces: HostTrace, api: ApiObjects | None = None, asker: Asker | None = None) -> Explanation:
    return explain(name, asker or Asker("default"), traces, api or shop(), SHAPE)


def upstream(server: str, answer: Answer) -> Answer:
    return replace(answer, server=server)


def resolved_web() -> tuple[Step, Step]:
    return step("web.shop.default.svc.cluster.local.", MISSING), step(WEB, records(WEB, "10.43.7.7"))


def test_a_name_that_resolves_has_its_walk_its_records_and_their_makers() -> None:
    found = look("web.shop", host(*resolved_web()), host(*resolved_web(), name="h2"))
    assert found.resolved
    assert found.item["result"] == {
        "name": WEB,
        "data": ["10.43.7.7"],
        "records": [{"name": WEB, "type": "A", "data": "10.43.7.7"}],
        "ttl": 5,
    }
    assert [
        (r["number"], r["name"], r["rcode"], r["from"], r["agreeing"], r["hosts"]) for r in found.item["asked"]
    ] == [
        (1, "web.shop.default.svc.cluster.local.", "NXDOMAIN", "zone cluster.local", 2, 2),
        (2, WEB, "NOERROR", "zone cluster.local", 2, 2),
    ]
    assert [(r["object"], r["answered"]) for r in found.item["records"]] == [("Service shop/web", True)]
    assert found.item["reasons"] == []
    assert found.item["notes"] == ["Service shop/web has no ready endpoint: connections to its address fail"]


def test_endpoints_that_are_left_out_are_shown() -> None:
    name = "db.shop.svc.cluster.local."
    found = look("db.shop", host(step(name, records(name, "10.42.1.6"))))
    assert [(r["pod"], r["published"], r["answered"]) for r in found.item["records"]] == [
        ("db-0", True, True),
        ("db-1", False, False),
    ]
    said = text(found.item)
    assert "Service shop/db, EndpointSlice db-1, endpoint 10.42.1.7 (pod db-1)   no, not ready" in said


def test_hosts_that_differ_are_named_and_decide() -> None:
    lagging = host(*resolved_web()[:1], step(WEB, MISSING), step("web.shop.", MISSING, zone=""), name="h3")
    found = look("web.shop", host(*resolved_web()), host(*resolved_web(), name="h2"), lagging)
    row = found.item["asked"][1]
    assert (row["agreeing"], row["hosts"]) == (2, 3)
    assert row["differing"] == [{"host": "h3", "server": SERVER, "rcode": "NXDOMAIN", "data": [], "error": ""}]
    assert found.decisive.question == (WEB, "A")
    assert "2/3; h3: NXDOMAIN" in text(found.item)


def test_the_name_that_was_probably_meant_is_explained() -> None:
    every = [
        step("wbe.shop.default.svc.cluster.local.", MISSING),
        step("wbe.shop.svc.cluster.local.", MISSING),
        step("wbe.shop.cluster.local.", MISSING),
        step("wbe.shop.", MISSING, zone=""),
    ]
    direct = {"wbe.shop.": [upstream("10.0.0.1", MISSING)]}
    found = look("wbe.shop", host(*every, direct=direct))
    assert not found.resolved
    assert [(r.code, r.hint) for r in found.reasons] == [("NoSuchService", 'did you mean "web"?')]
    assert found.decisive.question[0] == "wbe.shop.svc.cluster.local."


def outside(answer: Answer, *direct: Answer, **options: Any) -> HostTrace:
    cached = options.pop("cached", False)
    return host(step(OUTSIDE, answer, zone="", cached=cached), direct={OUTSIDE: direct}, **options)


def test_a_name_that_upstreams_deny() -> None:
    found = look(OUTSIDE.rstrip("."), outside(MISSING, upstream("10.0.0.1", MISSING), upstream("10.0.0.2", MISSING)))
    (only,) = found.reasons
    assert only.code == "NoSuchNameUpstream"
    assert only.text == "www.example.com. does not exist (10.0.0.1, 10.0.0.2 says so)"
    assert found.item["asked"][0]["from"] == "upstream 10.0.0.1"


def test_upstreams_that_differ_are_a_reason_and_for_a_name_that_resolves_a_note() -> None:
    there = upstream("10.0.0.2", records(OUTSIDE, "192.0.2.5"))
    missing = look("www.example.com", outside(MISSING, upstream("10.0.0.1", MISSING), there))
    assert [r.code for r in missing.reasons] == ["UpstreamsDiffer"]
    assert "10.0.0.1: does not exist; 10.0.0.2: 192.0.2.5" in missing.reasons[0].text
    answer = records(OUTSIDE, "192.0.2.5")
    found = look("www.example.com", outside(answer, upstream("10.0.0.1", answer), upstream("10.0.0.2", MISSING)))
    assert found.resolved
    assert "differ for www.example.com. A: 10.0.0.1: 192.0.2.5; 10.0.0.2: does not exist" in found.item["notes"][0]
    other = look(
        "www.example.com",
        outside(answer, upstream("10.0.0.1", answer), upstream("10.0.0.2", records(OUTSIDE, "192.0.2.6"))),
    )
    assert other.item["notes"] == [], "large sites answer with other addresses each time"


def test_a_negative_answer_in_the_cache_is_compared_with_what_the_upstream_says_now() -> None:
    old = replace(MISSING, authoritative=False, authority=((ZONE, 12, "SOA", "x"),))
    found = look("www.example.com", outside(old, upstream("10.0.0.1", records(OUTSIDE, "192.0.2.5")), cached=True))
    (only,) = found.reasons
    assert only.code == "Cached"
    assert (
        "the cache has 'does not exist' for www.example.com. A (for 12 s); 10.0.0.1 says '192.0.2.5' now" in only.text
    )
    assert found.item["asked"][0]["from"] == "cache"


def test_upstreams_that_do_not_answer_or_fail() -> None:
    silent = Answer("10.0.0.1", "", error="no answer within 3 s")
    failed = Answer(SERVER, "SERVFAIL")
    found = look(
        "www.example.com",
        outside(failed, silent, upstreams=(UpstreamUse("10.0.0.1", 1, used=False, why="does not answer"),)),
    )
    assert [(r.code, "10.0.0.1 (no answer within 3 s)" in r.text) for r in found.reasons] == [("UpstreamsSilent", True)]
    assert found.item["asked"][0]["from"] == "no upstream answers"
    both = outside(failed, silent, name="h2")
    assert "10.0.0.1   1       yes    h1,h2   www.example.com.   A      no answer within 3 s" in text(
        look("www.example.com", outside(failed, silent), both).item
    )
    refused = look("www.example.com", outside(failed, Answer("10.0.0.1", "REFUSED")))
    assert [r.text for r in refused.reasons] == ["upstream 10.0.0.1 answers REFUSED for www.example.com."]
    none = look("www.example.com", outside(failed, upstreams=()))
    assert [r.code for r in none.reasons] == ["NoUpstream"]


def test_reasons_of_some_hosts_name_them() -> None:
    silent = Answer("10.0.0.1", "", error="no answer within 3 s")
    found = look(
        "www.example.com",
        outside(Answer(SERVER, "SERVFAIL"), silent, name="h2"),
        outside(MISSING, upstream("10.0.0.1", MISSING)),
    )
    assert [r.text.split(":")[0] for r in found.reasons] == ["on h2", "on h1"]


def test_an_expired_answer_is_said_to_be_one() -> None:
    stale = replace(records(OUTSIDE, "192.0.2.5"), stale=True)
    found = look("www.example.com", outside(stale, upstream("10.0.0.1", MISSING), cached=True))
    assert any("has expired" in note for note in found.item["notes"])
    assert "192.0.2.5 (expired)" in text(found.item)


def test_an_alias_whose_target_does_not_exist_does_not_resolve() -> None:
    name = "ext.shop.svc.cluster.local."
    alias = Answer(SERVER, "NXDOMAIN", ((name, 5, "CNAME", OUTSIDE),))
    trace = host(step(name, alias), direct={OUTSIDE: [upstream("10.0.0.1", MISSING)]})
    found = look("ext.shop", trace)
    assert not found.resolved
    assert [r.code for r in found.reasons] == ["ExternalNameTarget", "NoSuchNameUpstream"]
    assert [(r["type"], r["object"]) for r in found.item["records"]] == [("CNAME", "Service shop/ext")]


def test_an_upstream_that_answers_for_a_mistyped_name_of_the_cluster_is_noted() -> None:
    trace = host(
        step("web.shopp.default.svc.cluster.local.", MISSING),
        step("web.shopp.svc.cluster.local.", MISSING),
        step("web.shopp.", records("web.shopp.", "192.0.2.80"), zone=""),
    )
    found = look("web.shopp", trace)
    assert found.resolved
    assert any(
        "an upstream answers; in the cluster: namespace shopp does not exist (did you mean web.shop?)" in note
        for note in found.item["notes"]
    )


def test_with_few_ndots_an_upstream_may_answer_before_the_cluster() -> None:
    resolver = replace(POD, ndots=1)
    found = look("web.shop", host(step("web.shop.", records("web.shop.", "192.0.2.80"), zone=""), resolver=resolver))
    assert found.item["notes"][0] == "it also means Service shop/web, but is asked outside first (ndots 1)"


def test_a_pod_with_another_dns_policy_asks_other_servers() -> None:
    resolver = Resolver(("8.8.8.8",), (), 1, "the pod's /etc/resolv.conf")
    asker = Asker("shop", "shop/web-0", "Default", host_network=False)
    trace = host(step("web.shop.", MISSING, zone="", cached=False), resolver=resolver)
    found = look("web.shop", trace, asker=asker)
    first = found.reasons[0]
    assert first.code == "OtherNameServers"
    assert "pod shop/web-0 asks 8.8.8.8, not the DNS server of its host (dnsPolicy Default)" in first.text
    assert "ClusterFirst " in first.hint
    assert found.item["asked"][0]["from"] == "name server 8.8.8.8"
    host_pod = look("web.shop", trace, asker=replace(asker, dns_policy="ClusterFirst", host_network=True))
    assert "ClusterFirstWithHostNet" in host_pod.reasons[0].hint
    works = look("a", host(step("a.", records("a.", "1.1.1.1"), zone=""), resolver=resolver), asker=asker)
    assert "pod shop/web-0 does not ask the DNS server of its host (dnsPolicy Default)" in works.item["notes"]


def test_a_final_dot_switches_the_search_list_off() -> None:
    direct = {"web.shop.": [upstream("10.0.0.1", MISSING)]}
    found = look("web.shop.", host(step("web.shop.", MISSING, zone=""), direct=direct))
    assert (found.reasons[0].code, found.reasons[0].hint) == ("FinalDot", "rancherctl dns explain web.shop")


@pytest.mark.parametrize(
    ("name", "code"),
    [("web.shop.svc.clusterset.local.", "MultiCluster"), ("web.shop.svc.k8s.corp.", "OtherDomain")],
)
def test_names_of_other_domains_for_clusters(name: str, code: str) -> None:
    trace = host(step(name, MISSING, zone=""), direct={name: [upstream("10.0.0.1", MISSING)]})
    assert code in [r.code for r in look(name.rstrip("."), trace).reasons]


def test_without_the_api_the_answers_are_explained_as_far_as_they_go() -> None:
    api = ApiObjects(problem="cannot connect to https://10.0.0.11:6443")
    found = look("web.shop", host(*resolved_web()), api=api)
    assert found.resolved
    assert found.item["notes"] == [
        "the objects behind the name are not known: cannot connect to https://10.0.0.11:6443"
    ]
    missing = look("web.shop", host(step(WEB, MISSING)), api=api)
    assert [r.code for r in missing.reasons] == ["ApiUnknown"]


def test_resolvers_of_musl_stop_earlier() -> None:
    nodata = Answer(SERVER, "NOERROR", authority=(SOA,))
    trace = host(
        step("shop.svc.cluster.local.", nodata), step("shop.", records("shop.", "192.0.2.1"), zone="", cached=False)
    )
    notes = look("shop", trace).item["notes"]
    assert any("musl (Alpine) the search stops at shop.svc.cluster.local., which exists without" in n for n in notes)


def test_a_silent_server_is_said_to_be_silent() -> None:
    silent = Answer(SERVER, "", error="no answer within 3 s")
    found = look("web.shop", host(step("web.shop.default.svc.cluster.local.", silent)))
    assert not found.resolved
    assert found.decisive.comparison.common is None
    assert "no answer within 3 s" in text(found.item)


def test_the_state_of_upstreams_is_read_from_agents_of_this_and_of_earlier_releases() -> None:
    assert upstream_uses({"used": ["10.0.0.2"], "dead": ["10.0.0.1"]}) == (
        UpstreamUse("10.0.0.2", 1),
        UpstreamUse("10.0.0.1", 2, used=False, why="does not answer"),
    )
    assert upstream_uses({}) == ()
    common = {"latency_ms": 1.0, "since": 3.0, "queries": 5, "note": ""}
    rows = [
        {"server": "10.0.0.1", "domain": "", "order": 1, "alive": False, "in_use": False, "why": "no answer", **common},
        {"server": "10.0.0.2:5353", "domain": "", "order": 2, "alive": True, "in_use": True, "why": "", **common},
        {
            "server": "10.0.0.3",
            "domain": "corp.example",
            "order": 1,
            "alive": True,
            "in_use": True,
            "why": "",
            **common,
        },
    ]
    assert upstream_uses({"used": ["10.0.0.2:5353"], "dead": [], "servers": rows}) == (
        UpstreamUse("10.0.0.1", 1, used=False, why="no answer"),
        UpstreamUse("10.0.0.2:5353", 2),
        UpstreamUse("10.0.0.3", 1, domain="corp.example"),
    )


def test_names_of_a_stub_domain_are_asked_of_its_servers() -> None:
    name = "db.corp.example."
    upstreams = (UpstreamUse("10.0.0.1", 1), UpstreamUse("10.0.0.53", 1, domain="corp.example"))
    trace = host(
        step(name, MISSING, zone="", cached=False, stub="corp.example"),
        upstreams=upstreams,
        direct={name: [upstream("10.0.0.53", MISSING)]},
    )
    found = look("db.corp.example", trace)
    assert found.item["asked"][0]["from"] == "stub domain corp.example, 10.0.0.53"
    assert found.reasons[0].text == "db.corp.example. does not exist (stub domain corp.example, 10.0.0.53 says so)"
    assert [(row["server"], row["order"], row["used"]) for row in found.item["direct"]] == [("10.0.0.53", 1, True)]
    assert "10.0.0.53   1       yes    h1" in text(found.item)
