"""Why a name of the cluster has no answer: one reason for each kind of mistake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.dns import names
from rancherctl.dns.operator.api_objects import ApiObjects, NameParts, parts_of
from rancherctl.dns.operator.reasons import Diagnosis, Rank, diagnose
from rancherctl.dns.records import Shape
from tests.fakes.dns_explanations import api_objects
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, pod, service

SHAPE = Shape("cluster.local", frozenset(names.all_zones("cluster.local", ("10.42.0.0/16", "10.43.0.0/16"))))
END = "svc.cluster.local."


def shop() -> ApiObjects:
    """A shop with Services of every kind."""
    world = World()
    pg = [("pg", "TCP", 5432)]
    world.add(
        service("kubernetes", "10.43.0.1"),
        service("web", "10.43.7.7", ns="shop", ports=[("http", "TCP", 80), ("dns", "UDP", 53)]),
        service("plain", "10.43.7.8", ns="shop", ports=[("", "TCP", 80)]),
        service("portless", "None", ns="shop"),
        service("db", "None", ns="shop", ports=pg),
        endpoint_slice(
            "db",
            [
                endpoint("10.42.1.6", pod="db-0", hostname="db-0", ready=False),
                endpoint("10.42.1.7", pod="db-1", hostname="db-1"),
            ],
            ns="shop",
            ports=pg,
        ),
        service("cold", "None", ns="shop"),
        endpoint_slice("cold", [endpoint("10.42.1.8", pod="cold-0", ready=False)], ns="shop"),
        service("empty", "None", ns="shop", selector={"app": "empty"}),
        service("handmade", "None", ns="shop"),
        endpoint_slice("handmade", [], ns="shop"),
        service("bare", "None", ns="shop"),
        service("pending", ns="shop"),
        service("ext", ns="shop", type="ExternalName", externalName="nope.shop.svc.cluster.local"),
        service("ip", ns="shop", type="ExternalName", externalName="10.0.0.5"),
        service("odd", ns="shop", type="ExternalName", externalName="a b"),
        service("loop", ns="shop", type="ExternalName", externalName="loop.shop.svc.cluster.local"),
        service("one", ns="shop", type="ExternalName", externalName="two.shop.svc.cluster.local"),
        service("two", ns="shop", type="ExternalName", externalName="one.shop.svc.cluster.local"),
        pod("stray", "10.42.1.30", ns="shop", subdomain="other"),
        pod("done", "10.42.1.31", ns="shop", phase="Succeeded"),
        pod("alive", "10.42.1.32", ns="shop"),
    )
    return api_objects(world, "team-a")


def reasons(name: str, *kinds: str) -> Diagnosis:
    return diagnose(f"{name}.{END}" if not name.endswith(".") else name, kinds or ("A", "AAAA"), shop(), SHAPE)


@pytest.mark.parametrize(
    ("name", "code", "text", "hint"),
    [
        ("web.shopp", "NoSuchNamespace", "namespace shopp does not exist", "did you mean web.shop?"),
        ("web.live", "NoSuchNamespace", "namespace live does not", "Service web exists in namespace shop: web.shop"),
        ("zzz.tema-a", "NoSuchNamespace", "namespace tema-a does not exist", 'did you mean "team-a"?'),
        ("web.default", "OtherNamespace", "namespace default has no Service web", "exists in namespace shop: web.shop"),
        ("db-1.db.default", "OtherNamespace", "namespace default has no Service db", "db-1.db.shop"),
        ("_pg._tcp.db.default", "OtherNamespace", "has no Service db", "_pg._tcp.db.shop"),
        ("wbe.shop", "NoSuchService", "namespace shop has no Service wbe", 'did you mean "web"?'),
        ("qqqq.default", "NoSuchService", "namespace default has no Service qqqq", "its Services: kubernetes"),
        ("qqqq.team-a", "NoSuchService", "namespace team-a has no Service qqqq", "it has no Services"),
        ("web.shop.fed", "FederationName", "Service shop/web in a federation fed, and", "is web.shop"),
        ("cold.shop", "NotReady", "Service shop/cold has no ready endpoint", "publishNotReadyAddresses"),
        ("db-0.db.shop", "NotReady", "10.42.1.6 (pod db-0) in EndpointSlice shop/db-1", "get pods"),
        ("db-2.db.shop", "NoSuchEndpoint", "Service shop/db has no endpoint db-2", "did you mean db-"),
        ("xyzzy.db.shop", "NoSuchEndpoint", "no endpoint xyzzy", "its endpoints: db-0, db-1"),
        ("xyzzy.web.shop", "NoSuchEndpoint", "no endpoint xyzzy", "it has no endpoints"),
        ("stray.db.shop", "OtherSubdomain", "pod shop/stray has subdomain other", "spec.serviceName"),
        ("empty.shop", "NoEndpoints", "no pod with an address matches its selector", "--show-labels"),
        ("handmade.shop", "NoEndpoints", "its EndpointSlices are empty", "service-name: handmade"),
        ("bare.shop", "NoEndpoints", "it has no selector, and no EndpointSlice names it", "service-name: bare"),
        ("pending.shop", "NoClusterAddress", "Service shop/pending has no cluster address", "get service"),
        ("ext.shop", "ExternalNameTarget", "ExternalName for nope.shop.svc.cluster.local., which", "dns explain nope."),
        ("ip.shop", "ExternalNameIsAddress", "DNS reads an address there as a name", "without selector"),
        ("odd.shop", "NotPublished", "externalName 'a b' of Service shop/odd is not a valid name", ""),
        ("loop.shop", "ExternalNameLoop", "the aliases lead in a circle", ""),
        ("pod-0.ext.shop", "ExternalName", "it has neither ports nor endpoints in DNS", ""),
        ("web.shop", "NotServed", "the API has it (Service shop/web)", "dns status"),
        ("shop", "NamespaceOnly", "shop is a namespace", "SERVICE.shop"),
        ("a.b.c.d.e", "NoSuchName", "is not the name of a Service", "SERVICE.NAMESPACE.svc.cluster.local"),
        ("10-42-1-99.shop.pod.cluster.local.", "NoSuchPod", "no pod of namespace shop has the address", "3 pods"),
        ("10-42-1-31.shop.pod.cluster.local.", "PodEnded", "pod shop/done has phase Succeeded", ""),
        ("10-42-1-32.shop.pod.cluster.local.", "NotServed", "Pod shop/alive", ""),
        ("10-42-1-32.shopp.pod.cluster.local.", "NoSuchNamespace", "namespace shopp", 'did you mean "shop"?'),
        ("6.1.42.10.in-addr.arpa.", "NotReady", "10.42.1.6 (pod db-0)", ""),
        ("7.1.42.10.in-addr.arpa.", "NotServed", "Service shop/db", ""),
        ("99.1.42.10.in-addr.arpa.", "NoSuchAddress", "no Service and no endpoint has this address", ""),
    ],
)
def test_each_mistake_has_its_reason_and_remedy(name: str, code: str, text: str, hint: str) -> None:
    first = reasons(name).reasons[0]
    assert first.code == code
    assert text in first.text
    assert hint in first.hint


@pytest.mark.parametrize(
    ("name", "code", "text", "hint"),
    [
        ("_htp._tcp.web.shop", "WrongPort", "no port htp with protocol tcp", "did you mean _http._tcp?"),
        ("_http._udp.web.shop", "WrongPort", "no port http with protocol udp", "is another one: _http._tcp"),
        ("_zzz._sctp.web.shop", "WrongPort", "no port zzz", "its named ports: _dns._udp, _http._tcp"),
        ("_http._tcp.plain.shop", "UnnamedPort", "its ports have no names", "set ports[].name; now: 80/TCP"),
        ("_http._tcp.portless.shop", "WrongPort", "it has no ports", ""),
        ("_http._tcp.ext.shop", "ExternalName", "neither ports nor endpoints", ""),
    ],
)
def test_names_of_ports_that_do_not_exist(name: str, code: str, text: str, hint: str) -> None:
    first = reasons(name, "SRV").reasons[0]
    assert (first.code, text in first.text, hint in first.hint) == (code, True, True), first


def test_a_port_is_explained_even_if_no_endpoint_is_ready() -> None:
    api = shop()
    slices = {
        key: tuple(
            replace(part, endpoints=tuple(replace(end, ready=False) for end in part.endpoints)) for part in parts
        )
        for key, parts in api.slices.items()
    }
    first = diagnose(f"_pg._tcp.db.shop.{END}", ("SRV",), replace(api, slices=slices), SHAPE).reasons[0]
    assert first.code == "NotReady"


def test_a_service_without_addresses_of_the_family_that_was_asked_for() -> None:
    (only,) = reasons("web.shop", "AAAA").reasons
    assert (only.code, only.hint) == ("OtherType", "Service shop/web has no IPv6 address")
    assert "has A and SRV records and no AAAA" in only.text


def test_aliases_are_followed_to_the_reason_and_end() -> None:
    codes = [reason.code for reason in reasons("ext.shop").reasons]
    assert codes == ["ExternalNameTarget", "NoSuchService"]
    circle = [reason.code for reason in reasons("one.shop").reasons]
    assert circle[-1] == "ExternalNameLoop"
    assert len(circle) < 12


def test_a_name_of_a_federation_that_the_environment_is_a_member_of() -> None:
    api = replace(shop(), federations=frozenset({"fed"}))
    (only,) = diagnose(f"web.shop.fed.{END}", ("A",), api, SHAPE).reasons
    assert only.text == "it looks like the name of Service shop/web in a federation fed"


def test_likelier_names_of_the_search_list_have_a_better_rank() -> None:
    assert reasons("db-0.db.shop").rank == Rank.SERVICE_EXISTS
    assert reasons("web.shopp").rank < reasons("web.default").rank < reasons("wbe.shop").rank
    assert reasons("wbe.shop").rank < reasons("zzz.tema-a").rank < reasons("qqqq.default").rank
    assert reasons("www.example.com.").rank == Rank.OUTSIDE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cluster.local.", NameParts("other")),
        ("shop.svc.cluster.local.", NameParts("namespace", "shop")),
        ("web.shop.svc.cluster.local.", NameParts("service", "shop", "web")),
        ("a.web.shop.svc.cluster.local.", NameParts("endpoint", "shop", "web", "a")),
        ("_p._tcp.web.shop.svc.cluster.local.", NameParts("port", "shop", "web", port="p", protocol="tcp")),
        ("a.b.web.shop.svc.cluster.local.", NameParts("other")),
        ("1-2-3-4.shop.pod.cluster.local.", NameParts("pod", "shop", endpoint="1-2-3-4")),
        ("web.shop.", None),
        ("xcluster.local.", None),
        ("", None),
    ],
)
def test_the_shape_of_a_name_says_what_it_means(name: str, expected: NameParts | None) -> None:
    assert parts_of(name, "cluster.local") == expected
