"""Names, upstreams, kept copies, comparing answers, selecting records, reading statistics, host resources."""

from __future__ import annotations

import errno
import json
import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rancherctl.dns import listing, lookup, named_conf, names, stats, upstream_health, zonefile
from rancherctl.dns import status as status_module
from rancherctl.dns.forwarding import Forwarding
from rancherctl.dns.install import resources
from rancherctl.dns.lookup import Answer, compare, question
from rancherctl.dns.model import DnsHostConfig, Marker, RecordSet
from rancherctl.dns.reconcile import first_problems
from rancherctl.dns.store import Store
from rancherctl.dns.upstreams import Health, of_resolv_conf
from rancherctl.errors import InvalidInputError, RancherctlError
from rancherctl.hosts.model import File, Package, Unit

CONFIG = DnsHostConfig("h1")


@pytest.mark.parametrize(
    ("cidr", "zones"),
    [
        ("10.43.0.0/16", ("43.10.in-addr.arpa.",)),
        ("10.42.8.0/22", tuple(f"{n}.42.10.in-addr.arpa." for n in range(8, 12))),
        ("10.96.0.0/12", tuple(f"{n}.10.in-addr.arpa." for n in range(96, 112))),
        ("10.0.0.0/8", ("10.in-addr.arpa.",)),
        ("192.0.2.128/25", ("2.0.192.in-addr.arpa.",)),
        ("fd00:43::/112", ("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.0.0.0.0.d.f.ip6.arpa.",)),
    ],
)
def test_reverse_zones(cidr: str, zones: tuple[str, ...]) -> None:
    assert names.reverse_zones(cidr) == zones


@given(st.ip_addresses().map(str), st.integers(1, 60))
def test_every_address_of_a_network_is_in_one_of_its_zones(address: str, prefix: int) -> None:
    bits = ip_address(address).max_prefixlen
    network = ip_network(f"{address}/{min(bits, max(8, prefix if bits == 32 else prefix + 60))}", strict=False)
    zones = frozenset(names.reverse_zones(str(network)))
    assert names.zone_of(names.reverse(address), zones)


@given(st.text(max_size=80))
def test_an_address_is_an_address(text: str) -> None:
    normal, kind = names.address(text)
    assert bool(normal) == bool(kind)
    if normal:
        assert names.address(normal) == (normal, kind)


@given(st.text(max_size=300))
def test_a_target_is_a_name(text: str) -> None:
    found = names.target(text)
    assert not found or (len(found) <= 254 and all(0 < len(label) <= 63 for label in found[:-1].split(".")))


def test_resolv_conf() -> None:
    servers = ("10.0.0.2", " 127.0.0.53 ", "10.43.0.10", "10.0.0.2", "fe80::1%eth0", "2001:db8::1")
    text = "# x\n" + "".join(f"nameserver {s}\n" for s in servers)
    assert of_resolv_conf(text, {"10.43.0.10"}) == ("10.0.0.2", "2001:db8::1")


def test_resolv_conf_as_the_resolver_reads_it() -> None:
    """A comment may follow; what is no address would make the server refuse its configuration, and the host's names with it."""
    text = "nameserver 10.0.0.2 # office\nnameserver 10.0.0.3;x\nnameserver 10.0.0.300\nnameserver dead:beef\nnameserver ::1\nnameservers 1.1.1.1\n"
    assert of_resolv_conf(text, ()) == ("10.0.0.2", "10.0.0.3")


@example("nameserver 169.254.20.10")
@given(st.text(alphabet=" \t\nameserv.:%;#{}0123456789abcdf", max_size=60).map(lambda text: f"nameserver {text}"))
def test_what_a_resolv_conf_says_is_safe_in_a_configuration(text: str) -> None:
    own = DnsHostConfig("h1").addresses
    for one in of_resolv_conf(text, own):
        named_conf.named_conf(DnsHostConfig("h1", upstreams=(one,)))


def test_an_upstream_that_cannot_even_be_asked_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ipv6.disable=1 the kernel refuses the socket itself."""
    real = socket.socket

    def refused(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest)

    monkeypatch.setattr("rancherctl.dns.upstream_health.socket.socket", refused)
    assert upstream_health.responding(("2001:db8::53", "192.0.2.53"), port=9, timeout=0.05) == frozenset()


class Stubborn:
    """A daemon whose first reload fails."""

    def __init__(self) -> None:
        self.reloads = 0

    def reload(self) -> None:
        self.reloads += 1
        if self.reloads == 1:
            raise RancherctlError("systemctl did not end")

    def stop(self) -> None:
        raise AssertionError("nobody asked for this")

    start = stop


def test_upstreams_that_the_server_did_not_read_are_told_again(tmp_path: Path) -> None:
    daemon = Stubborn()
    path = tmp_path / "forwarders.conf"
    forwarding = Forwarding(str(path), Store(str(tmp_path)), daemon)
    with pytest.raises(RancherctlError):
        forwarding.use(("192.0.2.53",))
    assert path.read_text() == named_conf.forwarders(("192.0.2.53",))
    forwarding.use(("192.0.2.53",))
    forwarding.use(("192.0.2.53",))
    assert daemon.reloads == 2
    Forwarding(str(path), Store(str(tmp_path)), daemon).use(("192.0.2.53",))
    assert daemon.reloads == 3, "the process before may have ended between file and reload"


def test_a_dead_upstream_is_skipped_and_comes_back() -> None:
    health = Health()
    health.use(("a", "b"))
    health.note("a", False)
    assert health.doubtful()
    assert health.order() == ("a", "b")
    health.note("a", False)
    assert health.order() == ("b",)
    health.note("b", False)
    health.note("b", False)
    assert health.order() == ("a", "b")
    for _ in range(2):
        health.note("a", True)
    assert health.order() == ("a",)
    health.use(("c",))
    assert health.order() == ("c",)


def test_one_lost_probe_changes_nothing() -> None:
    health = Health()
    health.use(("a", "b"))
    for _ in range(5):
        health.note("a", False)
        health.note("a", True)
        assert health.order() == ("a", "b")


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200), st.integers(0, 400))
def test_a_kept_copy_is_whole_or_none(text: str, where: int) -> None:
    sealed = zonefile.seal(text)
    assert zonefile.unseal(sealed) == text
    assert zonefile.unseal(sealed[: min(where, len(sealed) - 66)]) is None
    changed = sealed[: where % len(text)] + "\x7f" + sealed[where % len(text) + 1 :] if text else "x"
    assert zonefile.unseal(changed) is None or changed == sealed


@pytest.mark.parametrize(
    ("one", "than", "newer"),
    [
        ("5/6/7", "5/6/6", True),
        ("10/6/7", "9/6/7", True),
        ("5/6/7", "5/6/7", False),
        ("5/6/7", "4/7/7", False),
        ("5/6/7", "5/6", False),
        ("5/6/7", "", False),
        ("", "", False),
        ("5/x/7", "4/6/7", False),
    ],
)
def test_markers_know_which_is_newer(one: str, than: str, newer: bool) -> None:
    marker = Marker("0" * 32, one)
    assert marker.newer(Marker("1" * 32, than)) is newer
    text = zonefile.render("cluster.local.", "cluster.local", [], 7, marker)
    assert zonefile.marker_of(text, "cluster.local.") == marker
    assert zonefile.marker_of(text, "other.local.") is None


def test_the_store_replaces_a_zone_and_its_journal(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    (tmp_path / "a.zone.jnl").write_text("old")
    staged = store.stage({"a.": "new\n"})
    assert (tmp_path / "a.zone.jnl").exists()
    store.commit(staged)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.zone": "new\n"}
    assert (tmp_path / "a.zone").stat().st_mode & 0o777 == 0o660


def test_the_store_keeps_copies_and_notices_damage(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.kept("a.") is None
    store.keep("a.", "text\n")
    assert store.kept("a.") == "text\n"
    (tmp_path / "a.zone.kept").write_text("text\n; sha256 00\n")
    assert store.kept("a.") is None
    assert store.replace(str(tmp_path / "f"), "1")
    assert not store.replace(str(tmp_path / "f"), "1")


def test_questions() -> None:
    assert question("mongodb.prod.svc", "", "cluster.local") == (("mongodb.prod.svc.cluster.local.",), "A")
    assert question("10.43.0.1", "", "cluster.local") == (("1.0.43.10.in-addr.arpa.",), "PTR")
    assert question("x.svc.", "", "cluster.local") == (("x.svc.",), "A")
    assert question("Web.prod.svc.Cluster.local", "", "cluster.local") == (("web.prod.svc.cluster.local.",), "A")
    assert question("cluster.local", "ns", "cluster.local") == (("cluster.local.",), "NS")
    assert question("mongodb", "", "cluster.local") == (("mongodb.",), "A")


def test_what_a_pod_would_find_in_the_cluster_is_looked_for_there_first() -> None:
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


def test_the_odd_one_out_is_named() -> None:
    found = compare(
        {"h1": (answer("1", "2"),), "h2": (answer("2", "1"),), "h3": (answer("1"),), "h4": (answer(rcode=""),)}
    )
    assert found.common is not None
    assert found.common.data() == ("1", "2")
    assert found.differing == (("h3", "s"), ("h4", "s"))
    assert compare({"h1": (answer(rcode=""),)}).common is None


def test_an_answer_survives_its_way_over_ssh() -> None:
    one = Answer("10.43.0.10", "NOERROR", (("n.", 5, "A", "10.0.0.1"),), True, 0.7)
    assert Answer.of(json.loads(json.dumps(one.as_json()))) == one


def test_records_of_a_zone_a_service_a_name() -> None:
    found = [
        RecordSet("mongodb.prod.svc.cluster.local.", "A", ("10.43.0.7",)),
        RecordSet("mdb-0.mongodb.prod.svc.cluster.local.", "A", ("10.42.0.7",)),
        RecordSet("mongodb.test.svc.cluster.local.", "A", ("10.43.0.8",)),
        RecordSet("amongodb.prod.svc.cluster.local.", "A", ("10.43.0.9",)),
        RecordSet("7.0.43.10.in-addr.arpa.", "PTR", ("mongodb.prod.svc.cluster.local.",)),
    ]

    def chosen(what: str) -> list[int]:
        return [found.index(s) for s in listing.select(found, what, CONFIG)]

    assert chosen("") == [0, 1, 2, 3, 4]
    assert chosen("cluster.local") == [0, 1, 2, 3]
    assert chosen("43.10.in-addr.arpa.") == [4]
    assert chosen("mongodb") == [0, 1, 2, 4]
    assert (
        chosen("mongodb.prod")
        == chosen("prod/mongodb")
        == chosen("mongodb.prod.svc")
        == chosen("mongodb.prod.svc.cluster.local")
        == [0, 1, 4]
    )
    assert chosen("mdb-0.mongodb.prod.svc.cluster.local") == [1]
    assert chosen("nope") == []


def test_thousands_of_odd_services_do_not_fill_the_report() -> None:
    """The report also says which routes a host serves: it must stay writable whatever a tenant makes."""
    problems = {f"ns/s{n:05}": "externalName is not a valid name" for n in range(10_000)}
    found = first_problems(problems)
    assert list(found)[:2] == ["ns/s00000", "ns/s00001"]
    assert "9950 more" in found["…"]
    assert len(json.dumps(found)) < 10_000
    few = {"b/x": "2", "a/x": "1"}
    assert list(first_problems(few).items()) == [("a/x", "1"), ("b/x", "2")]


def test_statistics() -> None:
    data = {
        "version": "9.18",
        "boot-time": "t",
        "opcodes": {"QUERY": 7},
        "views": {"_default": {"resolver": {"cachestats": {"QueryHits": 3, "QueryMisses": 4}}}},
    }
    assert stats.parse(data) == stats.Stats("9.18", "t", 7, 3, 4)
    assert stats.parse({}) == stats.Stats("", "", 0, 0, 0)


def test_status_says_how_old_it_is(tmp_path: Path) -> None:
    path = tmp_path / "dns.json"
    assert status_module.read_section(path) is None
    status_module.write_section({"synced": True, "metrics": {"records": 3}}, path)
    found = status_module.read_section(path, now=path.stat().st_mtime + 9)
    assert found == {"synced": True, "metrics": {"records": 3}, "age": 9.0}
    zones = {
        "cluster.local.": {"loaded": True, "serial": 5, "hash": "ab"},
        "x.": {"loaded": False, "serial": 0, "hash": ""},
    }
    row = status_module.summary({"node": "h1", "zones": zones, "error": "", "agent": {**found, "alarm": "!"}})
    assert (row["host"], row["serial"], row["loaded"], row["synced"], row["records"], row["problems"]) == (
        "h1",
        5,
        False,
        True,
        3,
        ["!"],
    )
    gone = status_module.summary({"node": "h1", "zones": {}, "error": "gone", "agent": None})
    assert (gone["synced"], gone["age"], gone["problems"][0]) == (False, None, "gone")
    assert "has not reported" in gone["problems"][1]


@pytest.mark.parametrize(
    ("said", "unheard", "synced", "age", "problem"),
    [
        (3.0, 0.0, True, 3.0, []),
        (3.0, 20.0, True, 23.0, []),
        (3.0, 600.0, False, 603.0, ["no contact with the API for 603 s: serving the names known then"]),
        (90.0, 0.0, False, 90.0, ["the agent has not reported for 90 s: systemctl status rancherctl-agent"]),
    ],
)
def test_status_does_not_call_old_news_synced(
    said: float, unheard: float, synced: bool, age: float, problem: list[str]
) -> None:
    agent = {"synced": True, "age": said, "metrics": {"unheard": unheard}}
    row = status_module.summary({"node": "h1", "zones": {}, "error": "", "agent": agent})
    assert (row["synced"], row["age"], row["problems"]) == (synced, age, problem)


def test_host_resources() -> None:
    found = resources(DnsHostConfig("h1", upstreams=("192.0.2.53",)))
    assert isinstance(found[0], Package)
    assert "named.service" in found[0].mask
    files = {r.path: r.content.decode() for r in found if isinstance(r, File)}
    unit = files["/etc/systemd/system/rancherctl-dns.service"]
    assert "/etc/rancherctl/dns /var/lib/rancherctl/dns 169.254.20.10,10.43.0.10 192.0.2.53\n" in unit
    assert "User=bind" in unit
    named = files["/etc/rancherctl/dns/named.conf"]
    assert "listen-on port 53 { 169.254.20.10; 10.43.0.10; };" in named
    for must in (
        "max-records-per-type 0;",
        "empty-zones-enable no;",
        "allow-transfer { none; };",
        "controls { };",
        'zone "43.10.in-addr.arpa"',
    ):
        assert must in named
    assert "secret" not in named
    daemon = found[-1]
    assert isinstance(daemon, Unit)
    assert (daemon.name, daemon.reload_on, daemon.makes) == (
        "rancherctl-dns.service",
        ("/etc/rancherctl/dns/named.conf",),
        ("/etc/rancherctl/dns/tsig.key",),
    )
    assert resources(CONFIG) == resources(DnsHostConfig("h1"))


@pytest.mark.parametrize(
    "bad",
    [
        {"domain": "a; b"},
        {"domain": "x\ninclude"},
        {"upstreams": ("1.2.3.4; }",)},
        {"addresses": ("localhost",)},
        {"addresses": ("fe80::1%lo; }; options {",)},
        {"upstreams": ("fe80::1%lo\nExecStartPre=/bin/sh",)},
        {"upstreams": ("192.0.2.53:5353",)},
        {"upstreams": ("192.0.2.53", "10.43.0.10")},
        {"stub_domains": {"corp": ("169.254.20.10",)}},
        {"pod_cidrs": ("fe80::%lo; }/64",)},
        {"pod_cidrs": ("10.42.0.0/99",)},
        {"stub_domains": {'x" {': ("10.0.0.1",)}},
        {"stub_domains": {"corp": ("here",)}},
    ],
)
def test_settings_that_would_end_up_in_the_configuration_are_checked(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        named_conf.named_conf(DnsHostConfig("h1", **bad))  # type: ignore[arg-type]


def test_stub_domains_and_no_upstream() -> None:
    text = named_conf.named_conf(DnsHostConfig("h1", stub_domains={"corp.example": ("10.0.0.1", "10.0.0.2")}))
    assert 'zone "corp.example" { type forward; forward only; forwarders { 10.0.0.1; 10.0.0.2; }; };' in text
    assert named_conf.forwarders(()) == "forward only;\nforwarders { 127.0.0.1 port 9; };\n"


def test_asking_a_server_that_is_not_there() -> None:
    (found,) = lookup.query_local("a.example.", "A", ("127.0.0.1",), port=9, timeout=0.3)
    assert found.rcode == ""
    assert found.error
