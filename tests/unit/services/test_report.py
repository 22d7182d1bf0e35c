"""Sections of reports, ports in use, and what the controller tells command lines."""

from __future__ import annotations

import json

import pytest

from rancherctl.kube import objects
from rancherctl.services import ports_in_use, proxy_rules
from rancherctl.services.model import MAX_SERVICES, HostPorts
from rancherctl.services.ports_in_use import Owner
from rancherctl.services.report import MAX_PORTS, parse_sections, pod_ports, to_section
from rancherctl.services.translate import ServicePolicy, policy_from_json, policy_to_json

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0 100 0 0 10 0
   1: 0100007F:1DB3 00000000:0000 0A 00000000:00000000 00:00000000 00000000   110        0 1002 1 0 100 0 0 10 0
   2: 0100000A:0CEA 0200000A:D431 01 00000000:00000000 00:00000000 00000000     0        0 1003 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1538 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 77 1 0
   1: 0000000000000000FFFF00000100000A:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 78 1 0
"""


def test_a_report_survives_the_way_through_the_api() -> None:
    used = {("tcp", 22): "sshd (process 7)", ("udp", 53): "x"}
    ports = HostPorts(used, proxy_error="e", programmed={"a/b": "c"})
    data = {
        "report": json.dumps({"sections": {"services": to_section(ports), "lb": {"ports": {"80": "", "81": "busy"}}}})
    }
    parsed = parse_sections(data)
    assert (parsed.used, parsed.proxy_error, parsed.programmed) == (ports.used, "e", {"a/b": "c"})
    assert parsed.load_balancer == {80}
    assert parsed.reported


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sections": 3}', '{"sections": {"services": 5}}', "[" * 20000])
def test_a_damaged_report_reads_as_none(text: str) -> None:
    assert not parse_sections({"report": text}).reported


def test_a_role_that_fails_takes_no_new_services() -> None:
    parsed = parse_sections({"report": json.dumps({"sections": {"services": {"error": "no nft"}}})})
    assert (parsed.reported, parsed.error) == (False, "no nft")


def test_listening_sockets_are_read_from_the_kernels_tables() -> None:
    assert list(ports_in_use.sockets("tcp", TCP)) == [("0.0.0.0", 22, "1001", 0), ("127.0.0.1", 7603, "1002", 110)]
    assert list(ports_in_use.sockets("tcp", TCP6)) == [("::", 5432, "77", 0), ("10.0.0.1", 8080, "78", 0)]
    published = ("10.0.0.1",)
    assert [ports_in_use.concerns(a, published) for a in ("0.0.0.0", "::", "10.0.0.1", "127.0.0.1", "10.0.0.2")] == [
        True,
        True,
        True,
        False,
        False,
    ]


POD_UID = "0a1b2c3d-1111-2222-3333-444455556666"
POD_CGROUP = "/kubepods.slice/kubepods-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-5.scope"


def test_owners_of_sockets_are_read_from_ss() -> None:
    """Lines of iproute2 6.1: programs that may be seen, and cgroups by path or by number."""
    listing = (
        'udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:* users:(("dhclient",pid=9,fd=5)) cgroup:/\n'
        'tcp LISTEN 0 128 [::]:5432 [::]:* users:(("postgres",pid=12,fd=3),("postgres",pid=13,fd=3))\n'
        "tcp LISTEN 0 128 0.0.0.0:5433 0.0.0.0:* cgroup:/system.slice/postgresql.service <-> cgroup:/x\n"
        "tcp LISTEN 0 128 0.0.0.0:5434 0.0.0.0:* cgroup:unreachable:7926 <-> cgroup:unreachable:7926\n"
        "tcp LISTEN 0 128 *:99 *:*\n"
    )
    assert ports_in_use.owners(listing) == {
        ("udp", 68): Owner("dhclient (process 9)", "/"),
        ("tcp", 5432): Owner("postgres (process 12)"),
        ("tcp", 5433): Owner("", "/system.slice/postgresql.service"),
        ("tcp", 5434): Owner("", 0x7926),
    }


@pytest.mark.parametrize(
    ("owner", "path", "said"),
    [
        (Owner(), "", "a program of user db"),
        (Owner(), "/", "a program of user db"),
        (Owner(), "/system.slice/postgresql.service/worker", "postgresql.service (user db)"),
        (Owner("postgres (process 12)"), "/system.slice/postgresql.service", "postgres (process 12)"),
        (Owner(), POD_CGROUP, "pod x/db"),
        (Owner(), POD_CGROUP.replace("0a1b2c3d", "99999999"), "cri-containerd-5.scope (user db)"),
    ],
)
def test_who_uses_a_port_is_named_as_well_as_it_is_known(owner: Owner, path: str, said: str) -> None:
    assert ports_in_use.words("db", owner, path, {POD_UID: "x/db"}) == said


def _pod(name: str, phase: str = "Running", *, network: bool = False) -> objects.Pod:
    return objects.pod(
        {
            "metadata": {"name": name, "namespace": "x"},
            "spec": {
                "nodeName": "h1",
                "hostNetwork": network,
                "containers": [{"ports": [{"containerPort": 1, "hostPort": 80}, {"containerPort": 2}]}],
            },
            "status": {"phase": phase},
        }
    )


def test_ports_of_pods_are_those_of_running_ones_on_this_host() -> None:
    pods = {"x/a": _pod("a"), "x/b": _pod("b", "Succeeded")}
    assert ports_in_use.pod_ports(pods, "h1") == {("tcp", 80): "hostPort of pod x/a"}
    assert ports_in_use.pod_ports(pods, "h2") == {}
    assert ports_in_use.pod_ports({"x/c": _pod("c", network=True)}, "h1") == {}
    section = to_section(HostPorts(ports_in_use.pod_ports(pods, "h1") | {("tcp", 81): "nginx (process 3)"}))
    assert pod_ports({"report": json.dumps({"sections": {"services": section}})}) == {80: "hostPort of pod x/a"}


def test_a_report_has_a_limit_and_ports_of_pods_come_first() -> None:
    used = {("tcp", n): "x" for n in range(1, MAX_PORTS + 1)} | {("tcp", 60000): "hostPort of pod x/a"}
    section = to_section(HostPorts(used, programmed={f"a/{n}": "0" * 12 for n in range(3 * MAX_SERVICES)}))
    assert len(section["used"]) == MAX_PORTS
    assert "60000/tcp" in section["used"]
    assert len(section["programmed"]) == MAX_SERVICES


def test_notifications_of_other_tables_and_maps_are_ignored() -> None:
    assert proxy_rules.is_relevant(b"..kube-proxy\x00..service-ips\x00")
    assert proxy_rules.is_relevant(b"")
    assert not proxy_rules.is_relevant(b"..kube-proxy\x00..cluster-ips\x00")
    assert not proxy_rules.is_relevant(b"..other\x00..service-ips\x00")


def test_the_policy_survives_the_way_through_the_api() -> None:
    policy = ServicePolicy(default=False, reserved={("tcp", 22): "ssh"})
    assert policy_from_json(policy_to_json(policy)) == policy
    for text in ("[]", "{}", "no", '{"default": 1, "reserved": {"x": "y"}}'):
        with pytest.raises(ValueError, match=r".+"):
            policy_from_json(text)
