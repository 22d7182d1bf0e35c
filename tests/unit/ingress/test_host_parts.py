"""What is kept on a host, endpoints, files, resolver, host resources."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import sys
import threading
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.hosts.model import File, Package, Unit
from rancherctl.ingress.haproxy import files, install
from rancherctl.ingress.haproxy.layout import build
from rancherctl.ingress.model import BackendRef, Listener, Model, Route, Server
from rancherctl.ingress.role import dns_query, draining, loss_guard
from rancherctl.ingress.role.resolver import Resolver
from rancherctl.ingress.role.state import State
from rancherctl.ingress.translate import endpoints
from rancherctl.net import canonical_ip
from tests.fakes import ingress as fake

ME = "192.0.2.1"


def _keep(
    placed: list[str],
    served: list[str],
    known: dict[str, tuple[bool, list[str]]],
    leaving: dict[str, float],
    now: float,
) -> draining.Serving:
    return draining.serving(placed, served, known, own_address=ME, leaving=leaving, now=now, drain=2.0)


def test_kept_while_published_then_drained_then_gone() -> None:
    assert _keep([], ["a"], {"a": (True, [ME])}, {}, 10.0) == draining.Serving(frozenset({"a"}))
    first = _keep([], ["a"], {"a": (True, [])}, {}, 10.0)
    assert first == draining.Serving(frozenset({"a"}), {"a": 10.0}, 2.0)
    assert _keep([], ["a"], {"a": (True, [])}, {"a": 10.0}, 11.5).wake == pytest.approx(0.5)
    assert _keep([], ["a"], {"a": (True, [])}, {"a": 10.0}, 12.0) == draining.Serving(frozenset())
    assert _keep(["a"], ["a"], {"a": (True, [])}, {"a": 10.0}, 12.0) == draining.Serving(frozenset({"a"}))


def test_deleted_goes_at_once_and_a_foreign_class_after_its_limit_whatever_the_status_says() -> None:
    assert _keep([], ["a"], {}, {}, 10.0) == draining.Serving(frozenset())
    assert _keep([], ["a"], {"a": (False, [ME])}, {"a": 10.0}, 14.9).keys == {"a"}
    assert _keep([], ["a"], {"a": (False, [ME])}, {"a": 10.0}, 15.0).keys == frozenset()


def _model(count: int, *, with_servers: int) -> Model:
    refs = [BackendRef("ns", f"s{i}", 80) for i in range(count)]
    routes = tuple(Route(f"{r.service}.com", "prefix", "/", r) for r in refs)
    return Model((Listener("IPv4", 80),), routes, {r.key: (Server("10.0.0.1", 1),) for r in refs[:with_servers]}, {})


def test_a_mass_loss_is_suspicious_and_a_small_one_is_not() -> None:
    now = build(_model(100, with_servers=100), None)
    assert loss_guard.mass_loss(now, _model(100, with_servers=70)) == ""
    assert loss_guard.mass_loss(now, _model(100, with_servers=69)).startswith("31 of 100")
    assert loss_guard.mass_loss(now, Model()).startswith("100 of 100")
    assert loss_guard.mass_loss(build(_model(10, with_servers=10), None), Model()) == ""


CLAIM = st.tuples(
    st.sampled_from(["a.com", "*.a.com", "*"]),
    st.sampled_from(["exact", "prefix", "default"]),
    st.sampled_from(["/", "/x/", "/a:b/c"]),
)
REF = st.builds(BackendRef, st.just("ns"), st.sampled_from(["a", "b"]), st.just(80)) | st.just(
    BackendRef("ns", "a", 0, "http")
)


def _made(claims: dict[tuple[str, str, str], BackendRef]) -> Model:
    routes = {}
    for (host, kind, path), ref in claims.items():
        route = Route(host, kind, "" if kind == "default" else path, ref)  # type: ignore[arg-type]
        routes[route.claim] = route
    return Model(
        (Listener("IPv4", 80),),
        tuple(routes.values()),
        {r.backend.key: (Server("10.0.0.1", 1),) for r in routes.values()},
        {"ns/i": "h"},
    )


@given(st.dictionaries(CLAIM, REF, max_size=8), st.dictionaries(CLAIM, REF, max_size=8))
def test_what_is_held_back_keeps_all_entries_and_takes_the_new_ones(
    before: dict[Any, BackendRef], after: dict[Any, BackendRef]
) -> None:
    now, new = build(_made(before), None), _made(after)
    backends = lambda layout: {p.name: p.backend for p in layout.pools}
    entries = lambda layout: {
        (m, k): backends(layout).get(v, v) for m, found in layout.maps.items() for k, v in found.items()
    }
    kept = build(loss_guard.without_removals(now, new), now)
    assert entries(kept) == entries(now) | entries(build(new, None))
    assert all(p.servers for p in kept.pools if p.backend)
    assert entries(build(loss_guard.without_removals(now, Model()), now)) == entries(now)


WEB = BackendRef("default", "web", 80)


def test_ready_endpoints_come_before_terminating_ones() -> None:
    services = {"default/web": fake.service("web")}
    leaving = fake.endpoint_slice("web", [("10.0.0.2", 8080)], ready=False, serving=True, terminating=True)
    gone = fake.endpoint_slice("web", [("10.0.0.3", 8080)], ready=False, serving=False, terminating=True)
    ready = fake.endpoint_slice("web", [("10.0.0.1", 8080), ("127.0.0.1", 8080), ("169.254.20.10", 53)])
    find = lambda *slices: endpoints.servers_of(WEB, services, endpoints.by_service(slices), {}).servers
    assert find(leaving, gone, ready) == (Server("10.0.0.1", 8080),)
    assert find(leaving, gone) == (Server("10.0.0.2", 8080),)
    assert find(gone) == ()


def test_pods_of_one_host_do_not_follow_each_other_while_other_hosts_have_some() -> None:
    """A request that fails on a lost host is tried on the next server: were that on the same host, all tries could be spent there."""
    services = {"default/web": fake.service("web")}
    slices = [
        fake.endpoint_slice("web", [(f"10.42.{h}.{n}", 80)], node=f"h{h}")
        for h, pods in ((1, 4), (2, 4), (3, 2))
        for n in range(pods)
    ]
    for order in (slices, slices[::-1]):
        found = endpoints.servers_of(WEB, services, endpoints.by_service(order), {}).servers
        assert len(found) == 10
        assert [s.address.split(".")[2] for s in found] == [*"123123", *"1212"]
    assert endpoints.servers_of(
        WEB, services, endpoints.by_service([fake.endpoint_slice("web", [("10.0.0.2", 80), ("10.0.0.1", 80)])]), {}
    ).servers == (
        Server("10.0.0.1", 80),
        Server("10.0.0.2", 80),
    )


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("FD00::0001", "fd00::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:127.0.0.1", None),
        ("::ffff:169.254.169.254", None),
        ("::ffff:0.0.0.0", None),
        ("::127.0.0.1", None),
        ("fd00::1%eth0", None),
        ("fd00::1%;x", None),
        ("010.0.0.1", None),
        ("10.0.0.1\n", None),
        ("", None),
    ],
)
def test_addresses_are_written_as_haproxy_writes_them_and_none_leads_to_the_host_itself(
    written: str, used: str | None
) -> None:
    """What HAProxy has is compared with what it was given: the same address in other letters would look like a fault on every host."""
    found = [Server(used, 8080)] if used else []
    services = {"default/web": fake.service("web")}
    for kind in ("IPv4", "IPv6"):
        entry = dataclasses.replace(fake.endpoint_slice("web", [(written, 8080)]), address_type=kind)
        assert list(endpoints.servers_of(WEB, services, endpoints.by_service([entry]), {}).servers) == found
    services = {"default/web": fake.service("web", type="ExternalName", externalName="x.example.com", ports=[])}
    assert (
        list(
            endpoints.servers_of(
                BackendRef("default", "web", 8080), services, {}, {"x.example.com": (written,)}
            ).servers
        )
        == found
    )


@given(st.ip_addresses())
def test_a_server_is_written_like_the_system_writes_it(address: IPv4Address | IPv6Address) -> None:
    """HAProxy uses inet_ntop."""
    text = canonical_ip(address.exploded)
    assert canonical_ip(text) == text
    if endpoints.routable(text):
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        assert text == socket.inet_ntop(family, socket.inet_pton(family, text))


def test_one_endpoint_written_in_two_ways_is_one_server() -> None:
    slices = [
        dataclasses.replace(fake.endpoint_slice("web", [(a, 80)]), address_type="IPv6")
        for a in ("fd00::1", "FD00:0::1")
    ]
    assert endpoints.servers_of(
        WEB, {"default/web": fake.service("web")}, endpoints.by_service(slices), {}
    ).servers == (Server("fd00::1", 80),)


def test_headless_and_named_ports_go_by_the_slices_port() -> None:
    services = {"default/web": fake.service("web", {"http": 80, "admin": 9000}, clusterIP="None")}
    slices = endpoints.by_service(
        [
            fake.endpoint_slice("web", [("10.0.0.1", 8080)]),
            fake.endpoint_slice("web", [("10.0.0.1", 8081)], port_name="admin"),
        ]
    )
    assert endpoints.servers_of(BackendRef("default", "web", 0, "admin"), services, slices, {}).servers == (
        Server("10.0.0.1", 8081),
    )
    assert endpoints.servers_of(BackendRef("default", "web", 9000), services, slices, {}).servers == (
        Server("10.0.0.1", 8081),
    )
    missing = endpoints.servers_of(BackendRef("default", "web", 1), services, slices, {})
    assert missing.problem is not None
    assert missing.problem.reason == "PortNotFound"


def test_external_names_use_resolved_addresses_but_never_the_host_itself() -> None:
    services = {"default/web": fake.service("web", type="ExternalName", externalName="ext.example.com", ports=[])}
    found = endpoints.servers_of(WEB, services, {}, {"ext.example.com": ("198.51.100.7", "127.0.0.1")})
    assert found.servers == (Server("198.51.100.7", 80),)
    assert endpoints.external_names([WEB], services) == {"ext.example.com"}
    none = endpoints.servers_of(WEB, services, {}, {}).problem
    assert none is not None
    assert none.reason == "NameNotResolved"


def test_resolver_keeps_the_last_good_answer_and_tells_of_news() -> None:
    now = [0.0]
    answers: list[tuple[str, ...] | OSError] = [("10.1.1.1",), OSError("down"), ("10.1.1.2",)]
    told = threading.Event()

    def ask(name: str) -> tuple[str, ...]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    resolver = Resolver(ask, lambda: now[0], patience=5.0)
    resolver.changed = told.set
    assert resolver.addresses(["x"]) == {"x": ("10.1.1.1",)}
    while len(answers) > 1:
        now[0] += 11
        assert resolver.addresses(["x"]) == {"x": ("10.1.1.1",)}
    while not told.is_set():
        now[0] += 11
        resolver.addresses(["x"])
        told.wait(0.01)
    assert resolver.addresses(["x"]) == {"x": ("10.1.1.2",)}


def test_a_first_answer_that_comes_late_is_told_of() -> None:
    """The load balancer did not wait for it, and would look again only seconds later."""
    answer, told = threading.Event(), threading.Event()

    def ask(name: str) -> tuple[str, ...]:
        answer.wait(10)
        return ("10.1.1.1",)

    resolver = Resolver(ask, lambda: 0.0, patience=0.0)
    resolver.changed = told.set
    assert resolver.addresses(["x"]) == {"x": ()}
    answer.set()
    assert told.wait(10)
    assert resolver.addresses(["x"]) == {"x": ("10.1.1.1",)}


def test_state_survives_a_round_trip_and_damage_is_noticed() -> None:
    state = State(build(_model(3, with_servers=2), None), ("ns/a",), 4, 5, ME)
    assert State.decode(state.encode(), ["IPv4"]) == state
    data = bytearray(state.encode())
    for place in (0, 70, len(data) - 1):
        broken = bytes(data[:place]) + bytes([data[place] ^ 1]) + bytes(data[place + 1 :])
        with pytest.raises(ValueError):
            State.decode(broken, ["IPv4"])
    with pytest.raises(ValueError):
        State.decode(b"", ["IPv4"])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x"
    files.write(target, b"old")
    (tmp_path / ".x.rancherctl-new").mkdir()
    with pytest.raises(OSError):
        files.write(target, b"new")
    assert target.read_bytes() == b"old"


def test_host_resources() -> None:
    found = install.resources(install.IngressHostConfig())
    assert Package("haproxy", mask=("haproxy.service",)) in found
    unit = next(r.content.decode() for r in found if isinstance(r, File) and r.path.endswith(".service"))
    assert "User=haproxy" in unit
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE" in unit
    assert isinstance(found[-1], Unit)
    idle = next(r.content.decode() for r in found if isinstance(r, File) and r.path.endswith("idle.cfg"))
    assert "bind *" not in idle


def test_the_role_ships_with_the_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import rancherctl.ingress.role.reconcile, rancherctl.ingress.status.publish, rancherctl.ingress.haproxy.install; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before}; print(sorted(new - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "['rancherctl']"


def _answer(query: bytes, *records: tuple[int, bytes], code: int = 0) -> bytes:
    body = b"".join(
        b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\5" + len(data).to_bytes(2, "big") + data
        for kind, data in records
    )
    return (
        query[:2]
        + (0x8180 | code).to_bytes(2, "big")
        + b"\0\1"
        + len(records).to_bytes(2, "big")
        + b"\0\0\0\0"
        + query[12:]
        + body
    )


def test_dns_answers_are_read_and_damage_is_an_error() -> None:
    query = dns_query.question("a.example.com", dns_query.A, 7)
    good = _answer(query, (5, b"\1b\xc0\x0c"), (1, bytes([10, 0, 0, 2])), (1, bytes([10, 0, 0, 1])))
    assert dns_query.addresses(good, 7, dns_query.A) == ("10.0.0.1", "10.0.0.2")
    six = dns_query.question("a.example.com", dns_query.AAAA, 7)
    assert dns_query.addresses(_answer(six, (28, bytes(15) + b"\1")), 7, dns_query.AAAA) == ("::1",)
    assert dns_query.addresses(_answer(query), 7, dns_query.A) == ()
    assert dns_query.addresses(_answer(query, code=3), 7, dns_query.A) == (), (
        "there is no such name: the last address may be somebody else's now"
    )
    for wrong in (_answer(query, code=5), _answer(query, code=2), query, good[:-3], b"", b"\0\7"):
        with pytest.raises(dns_query.AnswerError):
            dns_query.addresses(wrong, 7, dns_query.A)
    with pytest.raises(dns_query.AnswerError):
        dns_query.addresses(good, 8, dns_query.A)
    for name in ("a..b", "", "x" * 64 + ".com", ".".join(["abcdefgh"] * 40), "\u00fc.com"):
        with pytest.raises(ValueError):
            dns_query.question(name, dns_query.A, 1)


@given(st.binary(max_size=80))
def test_any_bytes_are_an_answer_or_an_error(data: bytes) -> None:
    with contextlib.suppress(dns_query.AnswerError):
        assert isinstance(dns_query.addresses(data, 7, dns_query.A), tuple)


def test_an_answer_that_does_not_fit_is_asked_for_again_over_tcp() -> None:
    """A headless service of dozens of pods: over UDP comes nothing but a flag, which does not mean that nobody is there."""
    pods = [bytes([10, 0, 0, n]) for n in range(100)]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        tcp.listen(1)
        udp.settimeout(5)
        tcp.settimeout(5)

        def serve() -> None:
            query, client = udp.recvfrom(512)
            udp.sendto(_answer(query, code=0x0200), client)
            connection, _ = tcp.accept()
            with connection:
                query = connection.recv(512)[2:]
                whole = _answer(query, *((1, pod) for pod in pods))
                for piece in (
                    len(whole).to_bytes(2, "big")[:1],
                    len(whole).to_bytes(2, "big")[1:] + whole[:700],
                    whole[700:],
                ):
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        assert len(dns_query.lookup("pods.example.com", "127.0.0.1", port=udp.getsockname()[1])) == 100
        thread.join()


def test_names_are_asked_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)

        def serve() -> None:
            query, client = server.recvfrom(512)
            server.sendto(_answer(query, (1, bytes([198, 51, 100, 7]))), client)

        thread = threading.Thread(target=serve)
        thread.start()
        assert dns_query.lookup("ext.example.com", "127.0.0.1", port=server.getsockname()[1]) == ("198.51.100.7",)
        thread.join()
