"""Walks through the search list against a real named: zones, cache, upstreams, and a pod's own resolv.conf."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.dns import host, named_conf
from rancherctl.dns.operator.asked import Asker
from rancherctl.dns.reconcile import DnsRole
from rancherctl.dns.trace import Client, Host
from rancherctl.errors import NotFoundError, UsageError
from tests.fakes.dns_explanations import api_objects, explained, host_files
from tests.fakes.dns_queries import addresses, settle
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service
from tests.fakes.dns_upstream import Upstream
from tests.fakes.named import Named
from tests.fakes.ports import free_port

PORT = free_port()
OUTSIDE = "www.example.com"


@pytest.fixture
def upstreams() -> Iterator[list[Upstream]]:
    found = [Upstream(f"127.0.0.{n}", PORT) for n in (2, 3)]
    yield found
    for one in found:
        one.close()


@pytest.fixture
def named(tmp_path: Path, upstreams: list[Upstream]) -> Iterator[Named]:
    server = Named(tmp_path / "n")
    Path(server.config.forwarders_file).write_text(named_conf.forwarders((f"127.0.0.2:{PORT}",)))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def files(tmp_path: Path) -> Host:
    return host_files(tmp_path, [f"127.0.0.2:{PORT}", f"127.0.0.3:{PORT}"])


def test_a_name_of_the_cluster_is_found_in_the_zone_and_no_upstream_is_asked(
    named: Named, role: DnsRole, world: World, files: Host, upstreams: list[Upstream]
) -> None:
    settle(role, world.snapshot())
    asked = upstreams[0].asked
    found = explained(named, api_objects(world), "mongodb.default", files)
    assert found.item["result"]["data"] == ["10.43.7.7"]
    assert [r["from"] for r in found.item["asked"]] == ["zone cluster.local"] * 4
    assert found.item["direct"] == []
    assert upstreams[0].asked == asked
    srv = explained(named, api_objects(world), "_http._tcp.web", files)
    assert [(r["type"], r["data"].split()[2], r["address"]) for r in srv.item["records"]] == [
        ("SRV", "8080", "10.42.1.5"),
        ("SRV", "8080", "10.42.2.5"),
    ]
    assert all(r["answered"] for r in srv.item["records"])


def test_the_first_answer_is_asked_of_the_upstream_and_the_second_comes_from_the_cache(
    named: Named, files: Host, world: World, role: DnsRole
) -> None:
    settle(role, world.snapshot())
    api = api_objects(world)
    first, second = (explained(named, api, OUTSIDE, files, kind="A").item["asked"][-1]["from"] for _ in range(2))
    assert (first, second) == (f"upstream 127.0.0.2:{PORT}", "cache")


def test_upstreams_are_asked_one_by_one_and_differ(
    named: Named, files: Host, world: World, role: DnsRole, upstreams: list[Upstream]
) -> None:
    settle(role, world.snapshot())
    upstreams[0].mode = "missing"
    found = explained(named, api_objects(world), OUTSIDE, files, kind="A")
    assert not found.resolved
    assert [r.code for r in found.reasons] == ["UpstreamsDiffer"]
    assert found.decisive.comparison.common is not None
    assert found.decisive.comparison.common.rcode == "NXDOMAIN"
    assert f"127.0.0.2:{PORT}: does not exist; 127.0.0.3:{PORT}: 192.0.2.80" in found.reasons[0].text
    upstreams[0].mode = "good"
    later = explained(named, api_objects(world), OUTSIDE, files, kind="A")
    assert [r.code for r in later.reasons] == ["Cached"]
    assert later.item["asked"][-1]["from"] == "cache"


def test_an_upstream_that_refuses_is_named(
    named: Named, files: Host, world: World, role: DnsRole, upstreams: list[Upstream]
) -> None:
    settle(role, world.snapshot())
    for one in upstreams:
        one.mode = "lame"
    found = explained(named, api_objects(world), OUTSIDE, files, kind="A")
    assert [r.code for r in found.reasons] == ["UpstreamFails"]
    assert found.decisive.comparison.common is not None
    assert found.decisive.comparison.common.rcode == "SERVFAIL"


def test_the_target_of_an_alias_is_asked_of_upstreams(
    named: Named, files: Host, world: World, role: DnsRole, upstreams: list[Upstream]
) -> None:
    world.add(service("out", type="ExternalName", externalName=OUTSIDE))
    settle(role, world.snapshot())
    upstreams[0].mode = upstreams[1].mode = "missing"
    found = explained(named, api_objects(world), "out", files)
    assert not found.resolved
    assert [r.code for r in found.reasons] == ["ExternalNameTarget", "NoSuchNameUpstream"]
    broken = explained(named, api_objects(world), "ext", files)
    assert broken.resolved, "its target is in the cluster"
    assert {r["object"] for r in broken.item["records"]} == {"Service default/ext", "Service default/kubernetes"}


def test_reverse_names_of_endpoints_outside_the_networks_come_from_the_server(
    named: Named, files: Host, world: World, role: DnsRole, upstreams: list[Upstream]
) -> None:
    world.add(service("far", "None"), endpoint_slice("far", [endpoint("198.51.100.7", hostname="f0")]))
    settle(role, world.snapshot())
    deadline = time.monotonic() + 60
    while addresses(named, "7.100.51.198.in-addr.arpa", "PTR") == [
        "outside.example."
    ]:  # the policy is read once a second
        assert time.monotonic() < deadline
    found = explained(named, api_objects(world), "198.51.100.7", files)
    assert found.item["result"]["data"] == ["f0.far.default.svc.cluster.local."]
    assert found.item["asked"][0]["from"] == "endpoints outside the pod network"
    assert [(r["object"], r["answered"]) for r in found.item["records"]] == [("Service default/far", True)]


def test_a_name_without_ready_endpoints_says_so(
    named: Named, files: Host, world: World, role: DnsRole, upstreams: list[Upstream]
) -> None:
    world.add(service("cold", "None"), endpoint_slice("cold", [endpoint("10.42.9.9", ready=False, pod="cold-0")]))
    settle(role, world.snapshot())
    upstreams[0].mode = upstreams[1].mode = "missing"
    found = explained(named, api_objects(world), "cold", files)
    assert [r.code for r in found.reasons] == ["NotReady"]
    assert found.decisive.question[0] == "cold.default.svc.cluster.local."


def test_a_server_that_lags_behind_the_api(
    named: Named, files: Host, world: World, role: DnsRole, upstreams: list[Upstream]
) -> None:
    settle(role, world.snapshot())
    world.add(service("fresh", "10.43.9.1"))
    upstreams[0].mode = upstreams[1].mode = "missing"
    assert [r.code for r in explained(named, api_objects(world), "fresh", files).reasons] == ["NotServed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the files of other processes' roots")
def test_a_pod_asks_with_its_own_resolv_conf(named: Named, files: Host, world: World, role: DnsRole) -> None:
    """A real process with another root; its cgroup file is the test's, as only systemd makes cgroups."""
    settle(role, world.snapshot())
    uid = "0af5ae4c-7b3f-4a1e-8f11-d0c6a2a0c0de"
    root = files.section.parent / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\nsearch default.svc.cluster.local\noptions ndots:2\n")
    process = subprocess.Popen(["sleep", "600"])
    try:
        folder = files.proc / str(process.pid)
        folder.mkdir(parents=True)
        (folder / "cgroup").write_text(f"0::/kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice/cri-x.scope\n")
        (folder / "root").symlink_to(root)
        client = Client("default", "", uid)
        found = explained(
            named, api_objects(world), "mongodb", files, client=client, asker=Asker("default", "default/p")
        )
        assert list(found.item["resolver"]["search"]) == ["default.svc.cluster.local"]
        assert (found.item["resolver"]["ndots"], found.resolved) == (2, True)
        (folder / "cgroup").write_text("0::/system.slice/x.service\n")
        with pytest.raises(NotFoundError, match="no process of the pod"):
            explained(named, api_objects(world), "mongodb", files, client=client)
    finally:
        process.kill()
        process.wait()


def test_many_questions_are_answered_at_once_at_every_address(named: Named, world: World, role: DnsRole) -> None:
    settle(role, world.snapshot())
    config = replace(named.config, addresses=("127.0.0.1", "127.0.0.1"))
    found = json.loads(
        json.dumps(host.answers(config, ["mongodb.default.svc.cluster.local./A", "nope.default.svc.cluster.local./A"]))
    )
    assert [[a["rcode"] for a in part] for part in found["answers"]] == [["NOERROR"] * 2, ["NXDOMAIN"] * 2]
    assert found["answers"][1][0]["authority"][0]["type"] == "SOA"
    with pytest.raises(UsageError, match="not a valid question"):
        host.answers(config, ["mongodb"])
