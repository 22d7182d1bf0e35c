"""The specification as a list: what is asked, and which answers pass."""

from __future__ import annotations

import pytest

from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.checklist import Check, checks, judge
from rancherctl.dns.operator.fixture import Fixture

FIXTURE = Fixture("cluster.local", "0a0b0c", {"cluster": ("10.43.0.7",)})
NAME = "headless.dns-verify-0a0b0c.svc.cluster.local."
SOA = ("cluster.local.", 5, "SOA", "ns. host. 1 2 3 4 5")


def answer(*data: str, kind: str = "A", rcode: str = "NOERROR", soa: bool = True) -> Answer:
    authority = (SOA,) if soa and not data else ()
    return Answer("s", rcode, tuple((NAME, 5, kind, one) for one in data), authority=authority)


def check(rule: str, *expected: str, kind: str = "A", name: str = NAME) -> Check:
    return Check("2.4.1", "says", name, kind, rule, expected)  # type: ignore[arg-type]


def test_every_section_of_the_specification_is_asked() -> None:
    found = checks(FIXTURE)
    sections = {"2.1", "2.2", "2.3.1", "2.3.2", "2.3.3", "2.4.1", "2.4.2", "2.4.3", "2.5"}
    assert sections <= {one.section for one in found}
    assert all(one.name.endswith(".") for one in found if not one.skip)
    assert len({(one.question, one.rule) for one in found if not one.skip}) == len([o for o in found if not o.skip])


def test_checks_of_a_family_that_the_cluster_does_not_have_are_skipped() -> None:
    assert {one.skip for one in checks(FIXTURE)} == {"", "the cluster has no IPv6 cluster addresses"}
    both = Fixture("cluster.local", "0a0b0c", {"cluster": ("10.43.0.7", "fd00:43::7")})
    assert {one.skip for one in checks(both)} == {"", "the cluster gives addresses of both families"}
    reverse = next(one for one in checks(both) if one.says == "PTR of an IPv6 cluster address")
    assert reverse.name.endswith(".ip6.arpa.")
    only6 = Fixture("cluster.local", "0a0b0c", {"cluster": ("fd00:43::7",)})
    assert {one.skip for one in checks(only6)} == {"", "the cluster has no IPv4 cluster addresses"}
    assert checks(only6)[0].type == "AAAA"


@pytest.mark.parametrize(
    ("one", "given", "passed"),
    [
        (check("exactly", "10.0.0.1", "10.0.0.2"), answer("10.0.0.2", "10.0.0.1"), True),
        (check("exactly", "10.0.0.1"), answer("10.0.0.1", "10.0.0.2"), False),
        (check("exactly", "10.0.0.1"), answer(), False),
        (check("exactly", "a.example.", kind="PTR"), answer("A.Example.", kind="PTR"), True),
        (check("exactly", "10.0.0.1"), answer("10.0.0.1", rcode="SERVFAIL"), False),
        (check("nxdomain"), answer(rcode="NXDOMAIN"), True),
        (check("nxdomain"), answer(rcode="NXDOMAIN", soa=False), False),
        (check("nxdomain"), answer(), False),
        (check("nothing"), answer(), True),
        (check("nothing"), answer(rcode="NXDOMAIN"), True),
        (check("nothing"), answer("10.0.0.1"), False),
        (check("nothing"), answer(rcode="SERVFAIL"), False),
        (check("empty"), answer(), True),
        (check("empty"), answer(rcode="NXDOMAIN"), False),
        (check("empty"), answer(soa=False), False),
        (check("without", "x.example.", kind="PTR"), answer(rcode="SERVFAIL"), True),
        (check("without", "x.example.", kind="PTR"), answer("y.example.", kind="PTR"), True),
        (check("without", "x.example.", kind="PTR"), answer("X.example.", kind="PTR"), False),
        (check("without", "x.example.", kind="PTR"), Answer("s", "", error="no answer"), False),
    ],
)
def test_answers_are_judged_by_the_rule(one: Check, given: Answer, passed: bool) -> None:
    assert judge(one, given).passed == passed


@pytest.mark.parametrize(
    ("data", "passed"),
    [
        (("0 100 8080 a.H.", "10 5 8080 x.headless.dns-verify-0a0b0c.svc.cluster.local."), True),
        (("0 100 8080 a.h.", "0 100 8080 a.h.", f"0 100 8080 x.{NAME}"), True),
        (("0 100 8080 a.h.",), False),
        (("0 100 80 a.h.", f"0 100 8080 x.{NAME}"), False),
        (("0 100 8080 a.h.", "0 100 8080 x.elsewhere."), False),
        (("0 100 8080 a.h.", f"0 100 8080 x.{NAME}", f"0 100 8080 y.{NAME}"), False),
    ],
)
def test_ports_are_compared_without_priority_and_weight(data: tuple[str, ...], passed: bool) -> None:
    one = check("ports", "8080 a.h.", "8080 *", kind="SRV", name=f"_http._tcp.{NAME}")
    assert judge(one, answer(*data, kind="SRV")).passed == passed


def test_an_endpoint_without_hostname_is_found_by_the_name_of_its_address() -> None:
    one = check("follow", "198.18.0.4", kind="PTR")
    name = answer("198-18-0-4.headless.", kind="PTR")
    good = judge(one, name, answer("198.18.0.4"))
    assert (good.passed, good.answered) == (True, "198-18-0-4.headless., A 198.18.0.4")
    assert not judge(one, name).passed
    assert not judge(one, name, answer(rcode="NXDOMAIN")).passed
    assert not judge(one, answer("a.", "b.", kind="PTR"), answer("198.18.0.4")).passed


def test_an_alias_has_its_target_and_the_addresses() -> None:
    one = check("alias", "t.example.", "10.0.0.1")

    def both(*records: tuple[str, str]) -> Answer:
        return Answer("s", "NOERROR", tuple((NAME, 5, kind, data) for kind, data in records))

    assert judge(one, both(("CNAME", "T.example."), ("A", "10.0.0.1"))).passed
    assert not judge(one, both(("CNAME", "t.example."))).passed
    assert not judge(one, both(("A", "10.0.0.1"))).passed
    assert judge(check("alias", "t.example.", kind="AAAA"), both(("CNAME", "t.example."))).passed


def test_the_answer_is_described_in_words() -> None:
    assert judge(check("nxdomain"), answer(rcode="NXDOMAIN", soa=False)).answered == "NXDOMAIN, no SOA"
    assert judge(check("exactly", "a"), answer()).answered == "no records"
    assert judge(check("empty"), answer()).answered == "no records, SOA"
    assert (
        judge(check("exactly", "a"), Answer("s", "", error="no answer within 3 s")).answered == "no answer within 3 s"
    )


def test_names_and_addresses_of_two_runs_differ_and_are_valid() -> None:
    one, two = Fixture.new("cluster.local"), Fixture("cluster.local", "000000")
    assert two.v6(6) == "2001:db8::6"
    assert two.v4(1) == "198.18.0.1"
    assert Fixture("cluster.local", "ff0203").v4(1) == "198.19.2.1"
    assert one.namespace.startswith("dns-verify-")
