"""Golden cases tests/data/dns/CASE; ``REGENERATE=1 pytest tests/unit/dns/test_records.py`` rewrites records.txt."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.dns import named_conf, names
from rancherctl.dns.model import DnsHostConfig, Marker, RecordSet
from rancherctl.dns.records import MAX_SET_OCTETS, Shape, fit, pod_records, service_records
from rancherctl.dns.wanted import Wanted
from rancherctl.dns.zonefile import render
from rancherctl.kube import objects
from tests.fakes.dns_explanations import objects_of
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, pod, service

DATA = Path(__file__).resolve().parents[2] / "data/dns"
CONFIG = DnsHostConfig(
    "h1", service_cidrs=("10.43.0.0/16", "fd00:43::/112"), pod_cidrs=("10.42.0.0/16", "fd00:42::/64")
)
SHAPE = Shape("cluster.local", frozenset(named_conf.zones(CONFIG)))
SAFE = re.compile(r'[a-z0-9_.-]+ 5 IN (A|AAAA|SRV|PTR|CNAME|TXT) [A-Za-z0-9_.: "-]+')
NASTY = st.sampled_from(
    [
        "a\nb",
        "a;b",
        "a\0b",
        "../x",
        '"',
        "}",
        "ü",
        "x" * 64,
        "$INCLUDE",
        "%41",
        "a b",
        "",
        ".",
        "-a",
        "a-",
        "A",
        "*",
        "a.b",
        "@",
        "\\000",
        "x" * 5000,
    ]
)


def lines(world: World, wanted: Wanted | None = None) -> list[str]:
    changes = (wanted or Wanted(SHAPE)).update(world.services, world.slices, world.pods)
    return sorted(line for one in changes.values() if one for line in one.lines())


@pytest.mark.parametrize("case", sorted(path.parent.name for path in DATA.glob("*/objects.json")))
def test_objects_have_the_records_of_the_golden_file(case: str) -> None:
    world = objects_of(json.loads((DATA / case / "objects.json").read_text()))
    wanted = Wanted(SHAPE)
    text = "".join(f"{line}\n" for line in lines(world, wanted))
    text += "".join(f"; {key!r}: {problem!r}\n" for key, problem in sorted(wanted.problems.items()))
    golden = DATA / case / "records.txt"
    if os.environ.get("REGENERATE"):
        golden.write_text(text)
    assert text == golden.read_text()


@given(NASTY, NASTY, NASTY, NASTY, NASTY)
def test_no_text_of_a_tenant_reaches_a_zone_file_unchecked(
    name: str, namespace: str, port: str, host: str, external: str
) -> None:
    world = World()
    for ns in (namespace, "good"):
        world.add(
            service(name, "10.43.1.1", ns=ns, ports=[(port, "TCP", 80)]),
            service("e", type="ExternalName", externalName=external, ns=ns),
        )
        world.add(
            service("hl", "None", ns=ns),
            endpoint_slice("hl", [endpoint("10.42.0.1", hostname=host), endpoint(external)], ns=ns, name=name),
        )
        world.add(pod(name, external, ns=ns))
    world.add(service("fine", "10.43.2.2", ns="good"))
    found = lines(world)
    assert all(SAFE.fullmatch(line) for line in found), found
    assert "fine.good.svc.cluster.local. 5 IN A 10.43.2.2" in found
    for line in found:
        assert all(len(label) <= 63 for label in line.split(" ", 1)[0].split("."))


def test_a_set_too_large_for_a_message_is_cut_and_reported() -> None:
    many = [endpoint(f"10.42.{n // 250}.{n % 250}") for n in range(5000)]
    parts = [
        endpoint_slice("big", many[i : i + 1000], name=f"big-{i}", ports=[("http", "TCP", 80)])
        for i in range(0, 5000, 1000)
    ]
    group = service_records(service("big", "None"), parts, SHAPE, lambda pod_key, name: "")
    own = next(s for s in group.sets if s.name.startswith("big.") and s.type == "A")
    assert 4000 < len(own.rdatas) < 5000
    assert any(f"{len(own.rdatas)} of 5000 records fit" in problem for problem in group.problems)
    assert sum(1 for s in group.sets if s.type == "A" and s.name.startswith("10-42-")) == 5000


def size(rdatas: Iterable[str]) -> int:
    return sum(12 + len(r.rpartition(" ")[2]) + 7 for r in rdatas)


@given(st.sets(st.tuples(st.integers(1, 3), st.integers(1, 250)), max_size=750))
def test_fit_keeps_whole_endpoints_as_long_as_they_fit(pairs: set[tuple[int, int]]) -> None:
    rdatas = sorted(f"0 100 {port} {'x' * target}." for port, target in pairs)
    kept = fit("SRV", rdatas)
    assert list(kept) == sorted(set(kept) & set(rdatas))
    assert size(kept) <= MAX_SET_OCTETS
    targets = {r.rpartition(" ")[2] for r in kept}
    assert {r for r in rdatas if r.rpartition(" ")[2] in targets} == set(kept)
    if len(kept) < len(rdatas):
        missing = min(r.rpartition(" ")[2] for r in set(rdatas) - set(kept))
        assert all(target < missing for target in targets), "the choice does not depend on what was left out"
        assert size([*kept, *(r for r in rdatas if r.endswith(f" {missing}"))]) > MAX_SET_OCTETS


def test_a_cut_answer_of_a_service_with_two_ports_has_both_ports_of_every_endpoint() -> None:
    """Cut by port, all endpoints of the second port would be missing."""
    many = [endpoint(f"10.42.{n // 250}.{n % 250}") for n in range(1000)]
    part = endpoint_slice("big", many, ports=[("http", "TCP", 80), ("metrics", "TCP", 9090)])
    group = service_records(service("big", "None"), [part], SHAPE, lambda pod_key, name: "")
    (own,) = (s for s in group.sets if s.name.startswith("big.") and s.type == "SRV")
    ports = [rdata.split()[2] for rdata in own.rdatas]
    assert ports.count("80") == ports.count("9090") > 400
    assert any(f"{len(own.rdatas)} of 2000 records fit" in problem for problem in group.problems)


def test_one_endpoint_with_more_ports_than_fit_has_as_many_as_fit() -> None:
    rdatas = sorted(f"0 100 {port} {'x' * 250}." for port in range(1, 400))
    kept = fit("SRV", rdatas)
    assert 200 < len(kept) < 399
    assert size(kept) <= MAX_SET_OCTETS


def test_a_pod_being_deleted_has_no_name() -> None:
    leaving = objects.pod(
        {
            "metadata": {"namespace": "n", "name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"podIPs": [{"ip": "10.42.0.1"}]},
        }
    )
    assert pod_records(leaving, SHAPE).sets == ()


small = st.integers(0, 3)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("service"), small, st.sampled_from(["10.43.0.1", "10.43.0.2", "None", ""])),
        st.tuples(st.just("slice"), small, small, st.lists(small, max_size=3), st.booleans()),
        st.tuples(st.just("pod"), small, small),
        st.tuples(st.just("drop"), st.sampled_from(["services", "slices", "pods"]), small),
        st.just(("look",)),
    ),
    max_size=25,
)


def _do(world: World, step: tuple[Any, ...]) -> None:
    if step[0] == "service":
        world.add(
            service(f"s{step[1]}", step[2], ports=[("http", "TCP", 80)])
            if step[2]
            else service(f"s{step[1]}", type="ExternalName", externalName="x.y")
        )
    elif step[0] == "slice":
        found = [endpoint(f"10.42.0.{n}", hostname=f"h{n}" if step[4] else "", pod=f"p{n}") for n in step[3]]
        world.add(endpoint_slice(f"s{step[1]}", found, name=f"e{step[2]}", ports=[("http", "TCP", 80)]))
    elif step[0] == "pod":
        world.add(pod(f"p{step[1]}", f"10.42.0.{step[2]}", hostname=f"q{step[1]}", subdomain="s1"))
    elif step[0] == "drop":
        table: dict[str, Any] = getattr(world, step[1])
        table.pop(sorted(table)[step[2] % len(table)], None) if table else None


@settings(deadline=None)
@given(operations)
def test_incremental_updates_equal_a_fresh_start(steps: list[tuple[Any, ...]]) -> None:
    world, wanted = World(), Wanted(SHAPE)
    state: dict[str, RecordSet] = {}
    for step in [*steps, ("look",)]:
        if step[0] != "look":
            _do(world, step)
            continue
        snapshot = world.snapshot()
        for key, new in wanted.update(
            *(snapshot.table(name).items for name in ("services", "endpointslices", "pods"))
        ).items():
            if new is None:
                state.pop(key, None)
            else:
                state[key] = new
    fresh = {
        key: one
        for key, one in Wanted(SHAPE).update(world.services, world.slices, world.pods).items()
        if one is not None
    }
    assert state == fresh


def test_services_that_share_their_pods_cost_what_each_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two headless Services of the same pods share all reverse names: the work grows linearly with the pods."""
    count, looks = 300, 0
    plain = RecordSet.key.fget  # type: ignore[attr-defined]  # a property's function

    def key(one: RecordSet) -> str:
        nonlocal looks
        looks += 1
        text: str = plain(one)
        return text

    world, wanted = World(), Wanted(SHAPE)
    found = [endpoint(f"10.42.{n // 250}.{n % 250}") for n in range(count)]
    world.add(*(service(name, "None") for name in ("a", "b")), *(endpoint_slice(name, found) for name in ("a", "b")))
    monkeypatch.setattr(RecordSet, "key", property(key))
    first = wanted.update(world.services, world.slices, {})
    assert first["7.0.42.10.in-addr.arpa. PTR"] == RecordSet(
        "7.0.42.10.in-addr.arpa.",
        "PTR",
        ("10-42-0-7.a.default.svc.cluster.local.", "10-42-0-7.b.default.svc.cluster.local."),
    )
    second = wanted.update({"default/a": world.services["default/a"]}, world.slices, {})
    assert second["7.0.42.10.in-addr.arpa. PTR"] == RecordSet(
        "7.0.42.10.in-addr.arpa.", "PTR", ("10-42-0-7.a.default.svc.cluster.local.",)
    )
    assert looks < 20 * count


def test_the_entry_for_the_domain_is_the_middle_of_three_top_labels_in_the_reverse_policy() -> None:
    """BIND keeps the top labels in a balanced tree: the middle of three is its root, and a search starts there."""
    world = World()
    world.add(service("exporter", "None"), endpoint_slice("exporter", [endpoint("192.0.2.7"), endpoint("192.0.2.8")]))
    world.add(endpoint_slice("exporter", [endpoint("2001:db8::7")], name="exporter-v6", kind="IPv6"))
    wanted = Wanted(SHAPE)
    sets = {**wanted.fixed(()), **wanted.update(world.services, world.slices, {})}
    policy = [s for s in sets.values() if s is not None and names.zone_of(s.name, SHAPE.zones) == names.REVERSE_POLICY]
    text = render(names.REVERSE_POLICY, "cluster.local", policy, 1, Marker("0" * 32))
    owners = {dns.name.from_text(line.partition(" ")[0]) for line in text.splitlines()}
    origin = dns.name.from_text(names.REVERSE_POLICY)
    tops = {dns.name.Name(owner.relativize(origin)[-1:]) for owner in owners - {origin}}
    assert [top.to_text() for top in sorted(tops)] == ["arpa", "local", "~rancherctl"]


def test_a_zone_file_has_the_negative_ttl() -> None:
    text = render(
        "cluster.local.",
        "cluster.local",
        [RecordSet("a.cluster.local.", "A", ("10.0.0.1", "10.0.0.2"))],
        7,
        Marker("0" * 32, "1/2/3"),
    )
    assert text.splitlines() == [
        "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5",
        "cluster.local. 5 IN NS ns.dns.cluster.local.",
        f'_rancherctl.cluster.local. 0 IN TXT "hash={"0" * 32}" "version=1/2/3"',
        "a.cluster.local. 5 IN A 10.0.0.1",
        "a.cluster.local. 5 IN A 10.0.0.2",
    ]
