"""Names that a resolver asks for: resolv.conf, search list, ndots."""

from __future__ import annotations

import pytest

from rancherctl.dns.search import Resolver, candidates, of_namespace, of_resolv_conf, questions

POD = of_namespace("shop", "cluster.local", ("169.254.20.10",), Resolver(search=("corp.example", "svc.cluster.local")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ((), (), 1)),
        ("nameserver 10.0.0.1\nsearch a.example b.example\n", (("10.0.0.1",), ("a.example", "b.example"), 1)),
        ("search a\ndomain b.example c\n", ((), ("b.example",), 1)),
        ("domain b\nsearch A. a B.example.\n", ((), ("a", "b.example"), 1)),
        ("options ndots:5 timeout:2\noptions edns0\n", ((), (), 5)),
        ("options ndots:2 ndots:99 ndots:x\n", ((), (), 15)),
        ("# nameserver 10.0.0.9\n; search x\nnameserver 10.0.0.1 # first\n", (("10.0.0.1",), (), 1)),
        ("nameserver\nsearch\nsearch .\n", ((), (), 1)),
        ("".join(f"nameserver 10.0.0.{n}\n" for n in range(1, 6)), (("10.0.0.1", "10.0.0.2", "10.0.0.3"), (), 1)),
    ],
)
def test_resolv_conf_is_read_as_resolvers_read_it(text: str, expected: tuple[object, ...]) -> None:
    found = of_resolv_conf(text)
    assert (found.nameservers, found.search, found.ndots) == expected


def test_a_pod_has_the_search_domains_of_its_namespace_and_then_those_of_the_host() -> None:
    assert POD.search == ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")
    assert (POD.nameservers, POD.ndots) == (("169.254.20.10",), 5)
    assert Resolver.of(POD.as_json()) == POD


def test_names_with_few_dots_are_asked_for_with_the_search_list_first() -> None:
    ends = ("shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "corp.example.")
    assert candidates("Web.Shop", POD) == (*(f"web.shop.{end}" for end in ends), "web.shop.")
    assert candidates("a.b.c.d.e.f", POD) == ("a.b.c.d.e.f.", *(f"a.b.c.d.e.f.{end}" for end in ends))
    assert candidates("web.shop.", POD) == ("web.shop.",)
    assert candidates("web", Resolver(search=("x.example",), ndots=0)) == ("web.", "web.x.example.")
    assert candidates("web", Resolver()) == ("web.",)


def test_the_types_are_those_that_programs_ask_for() -> None:
    assert questions("10.43.0.1", "", POD) == (("1.0.43.10.in-addr.arpa.",), ("PTR",))
    assert questions("FD00::1", "", POD)[1] == ("PTR",)
    assert questions("1.0.43.10.in-addr.arpa", "", POD)[1] == ("PTR",)
    assert questions("_http._tcp.web", "", POD)[1] == ("SRV",)
    assert questions("web", "", POD)[1] == ("A", "AAAA")
    assert questions("web", "txt", POD)[1] == ("TXT",)
