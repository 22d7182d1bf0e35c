"""Runtime or reload: decided and checked down to the bytes sent, and replayed on a small model of HAProxy."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import commands, plan, render
from rancherctl.ingress.haproxy.layout import Layout, build, routes_of
from rancherctl.ingress.haproxy.maps import MAPS
from rancherctl.ingress.haproxy.pools import MIN_SPARES_ALWAYS, MIN_SPARES_IN_USE
from rancherctl.ingress.haproxy.profiles import PLAIN
from rancherctl.ingress.model import BackendRef, Listener, Model, Route, Server
from rancherctl.ingress.options import CLOSED, NO_OPTIONS, RouteOptions

HTTP = (Listener("IPv4", 80),)
PATHS = render.Paths(data="/d", run="/r")
CHECK = "check inter 2s fastinter 500ms downinter 1s rise 1 fall 2 observe layer4 error-limit 2 on-error mark-down"


def _route(host: str, path: str, service: str, kind: str = "prefix") -> Route:
    return Route(host, kind, path, BackendRef("ns", service, 80))  # type: ignore[arg-type]


def _model(services: dict[str, list[int]], listeners: tuple[Listener, ...] = HTTP) -> Model:
    routes = tuple(_route(f"{s}.com", "/", s) for s in sorted(services))
    return Model(
        listeners,
        routes,
        {f"ns/{s}:80": tuple(Server("10.0.0.1", p) for p in found) for s, found in services.items()},
        {f"ns/{s}": "h" for s in services},
    )


def _texts(decision: plan.Decision) -> list[str]:
    assert isinstance(decision, plan.Runtime)
    return [c.text for c in decision.commands]


def test_an_unknown_layout_and_other_listeners_need_a_reload() -> None:
    model = _model({"a": [1]})
    first = plan.plan(None, model, PATHS)
    assert isinstance(first, plan.Reload)
    assert isinstance(plan.plan(first.layout, model, PATHS), plan.Unchanged)
    closed = plan.plan(first.layout, Model(), PATHS)
    assert isinstance(closed, plan.Reload)
    assert closed.reason == "listeners: http-ipv4-80 → none"
    assert closed.layout.pools == ()


def test_a_new_route_fills_a_spare_backend_and_becomes_known_last() -> None:
    now = build(_model({"a": [1]}), None)
    assert _texts(plan.plan(now, _model({"a": [1], "b": [7, 8]}), PATHS)) == [
        "set server b2/s1 addr 10.0.0.1 port 7",
        "set server b2/s1 state ready",
        "set server b2/s2 addr 10.0.0.1 port 8",
        "set server b2/s2 state ready",
        "add map /d/prefix.map <<\nb.com/ b2\n",
        "add map /d/hosts.map <<\nb.com b.com\n",
    ]


def test_a_removed_route_is_forgotten_before_its_servers_are_switched_off() -> None:
    now = build(_model({"a": [1], "b": [7]}), None)
    assert _texts(plan.plan(now, _model({"a": [1]}), PATHS)) == [
        "del map /d/hosts.map b.com",
        "del map /d/prefix.map b.com/",
        "set server b2/s1 state maint",
    ]


def test_endpoints_come_before_others_go_and_unused_slots_come_first() -> None:
    now = build(_model({"a": [1, 2]}), None)
    decision = plan.plan(now, _model({"a": [2, 3]}), PATHS)
    assert _texts(decision) == [
        "set server b1/s3 addr 10.0.0.1 port 3",
        "set server b1/s3 state ready",
        "set server b1/s1 state maint",
    ]
    assert plan.contended(decision.layout, _model({"a": [2, 3, 4]})) == ()
    third = plan.plan(decision.layout, _model({"a": [2, 3, 4]}), PATHS)
    assert plan.contended(third.layout, _model({"a": [2, 3, 4, 5]})) == ("b1",)


def test_slots_with_connections_are_not_reused_and_new_ones_are_added() -> None:
    now = build(_model({"a": [1, 2]}), None)
    for ports in ([2, 3], [3, 4]):
        now = plan.plan(now, _model({"a": ports}), PATHS).layout
    free = plan.plan(now, _model({"a": [3, 4, 5]}), PATHS)
    assert _texts(free)[0] == "set server b1/s1 addr 10.0.0.1 port 5"
    busy = plan.plan(now, _model({"a": [3, 4, 5]}), PATHS, frozenset({("b1", "s1"), ("b1", "s2")}))
    assert _texts(busy) == [
        f"add server b1/s5 10.0.0.1:5 {CHECK} pool-max-conn 0",
        "enable health b1/s5",
        "set server b1/s5 state ready",
    ]


def test_without_a_spare_pool_a_reload_adds_more() -> None:
    now = build(_model({"a": [1]}), None)
    many = _model({f"s{i}": [i] for i in range(1, 40)})
    decision = plan.plan(now, many, PATHS)
    assert isinstance(decision, plan.Reload)
    assert "16 spare backends" in decision.reason
    assert sum(not p.backend and p.profile == PLAIN for p in decision.layout.pools) == 16


SLOW = RouteOptions(read_timeout=90_000)
FAST = RouteOptions(read_timeout=1000, body_size=5)
H2C = RouteOptions(read_timeout=90_000, protocol="h2c")


def _with_options(*options: RouteOptions) -> Model:
    """One host name for each set of options, all with the same Service."""
    routes = tuple(replace(_route(f"h{n}.com", "/", "a"), options=o) for n, o in enumerate(options))
    return Model(HTTP, routes, {"ns/a:80": (Server("10.0.0.1", 1),)}, {})


def test_routes_with_other_options_have_their_own_pool_and_equal_options_share_one() -> None:
    layout = build(_with_options(NO_OPTIONS, SLOW, SLOW), None)
    pools = {p.name: (p.backend, p.options) for p in layout.pools if p.key}
    assert pools == {"b1": ("ns/a:80", NO_OPTIONS), "b2": ("ns/a:80", SLOW)}
    assert layout.maps["prefix"] == {"h0.com/": "b1", "h1.com/": "b2", "h2.com/": "b2"}
    assert layout.maps["timeout-read"] == {"b2": "90000"}
    text = render.config(layout, PATHS)
    assert text.count("be_name,map_str_int(/d/timeout-read.map,300000)") == 1
    assert "\nbackend b1 from base  # ns/a:80\n" in text
    assert "\nbackend b2 from values  # ns/a:80@" in text
    assert text.count(" from values  # spare\n") == MIN_SPARES_ALWAYS
    assert Layout.from_json(layout.to_json(), ["IPv4"]) == layout
    assert {(r.host, r.options) for r in routes_of(layout)} == {
        ("h0.com", NO_OPTIONS),
        ("h1.com", SLOW),
        ("h2.com", SLOW),
    }


def test_a_pool_with_its_first_option_is_filled_and_has_its_value_before_the_route_leads_to_it() -> None:
    now = build(_with_options(NO_OPTIONS, NO_OPTIONS), None)
    spare = next(p.name for p in now.pools if not p.key and p.profile.kind == "values")
    assert _texts(plan.plan(now, _with_options(NO_OPTIONS, SLOW), PATHS)) == [
        f"set server {spare}/s1 addr 10.0.0.1 port 1",
        f"set server {spare}/s1 state ready",
        f"add map /d/timeout-read.map <<\n{spare} 90000\n",
        f"set map /d/prefix.map h1.com/ {spare}",
    ]


def test_another_value_changes_one_map_entry_and_the_pool_stays() -> None:
    now = build(_with_options(SLOW), None)
    decision = plan.plan(now, _with_options(FAST), PATHS)
    assert _texts(decision) == ["add map /d/body-size.map <<\nb1 5\n", "set map /d/timeout-read.map b1 1000"]
    back = plan.plan(decision.layout, _with_options(SLOW), PATHS)
    assert _texts(back) == ["set map /d/timeout-read.map b1 90000", "del map /d/body-size.map b1"]
    assert back.layout.maps == now.maps
    both = plan.plan(now, _with_options(SLOW, FAST), PATHS)
    assert isinstance(both, plan.Runtime)
    assert {p.options for p in both.layout.pools if p.key} == {SLOW, FAST}
    assert Layout.from_json(both.layout.to_json(), ["IPv4"]) == both.layout


def test_a_new_text_needs_one_reload_and_the_next_route_with_it_none() -> None:
    now = build(_with_options(SLOW), None)
    first = plan.plan(now, _with_options(SLOW, H2C), PATHS)
    assert isinstance(first, plan.Reload)
    assert first.reason.startswith("0 spare backends of the profile values-")
    other = replace(_route("b.com", "/", "b"), options=H2C)
    model = _with_options(SLOW, H2C)
    second = plan.plan(first.layout, replace(model, routes=(*model.routes, other)), PATHS)
    assert isinstance(second, plan.Runtime)
    assert sum(not p.key and p.profile.text.protocol == "h2c" for p in first.layout.pools) == MIN_SPARES_IN_USE
    assert Layout.from_json(first.layout.to_json(), ["IPv4"]) == first.layout


def test_a_closed_route_leads_to_a_refusal_and_needs_no_pool() -> None:
    now = build(_with_options(NO_OPTIONS), None)
    decision = plan.plan(now, _with_options(CLOSED), PATHS)
    assert _texts(decision) == ["set map /d/prefix.map h0.com/ closed", "set server b1/s1 state maint"]
    assert [(r.host, r.options) for r in routes_of(decision.layout)] == [("h0.com", CLOSED)]
    again = plan.plan(decision.layout, replace(_with_options(), routes=tuple(routes_of(decision.layout))), PATHS)
    assert isinstance(again, plan.Unchanged)
    assert "\nbackend closed from base\n  http-request return status 503 " in render.config(now, PATHS)


def test_a_route_whose_options_change_moves_to_another_pool_before_its_old_one_is_emptied() -> None:
    now = build(_with_options(NO_OPTIONS, SLOW), None)
    decision = plan.plan(now, _with_options(SLOW, SLOW), PATHS)
    assert _texts(decision) == ["set map /d/prefix.map h0.com/ b2", "set server b1/s1 state maint"]
    assert isinstance(plan.plan(decision.layout, _with_options(SLOW, SLOW), PATHS), plan.Unchanged)


def test_a_path_with_another_service_changes_one_map_value() -> None:
    before = Model(HTTP, (_route("a.com", "/", "a"), _route("b.com", "/", "b")), {}, {})
    after = Model(HTTP, (_route("a.com", "/", "b"), _route("b.com", "/", "b")), {}, {})
    assert _texts(plan.plan(build(before, None), after, PATHS)) == ["set map /d/prefix.map a.com/ b2"]


def test_default_backends_and_ipv6_servers_are_laid_out() -> None:
    routes = (
        _route("*", "", "d", "default"),
        _route("a.com", "", "a", "default"),
        _route("a.com", "/x/", "x"),
        _route("*.w.com", "/e", "x", "exact"),
    )
    found = build(Model(HTTP, routes, {"ns/d:80": (Server("fd00::1", 8080),)}, {}), None)
    assert {name: entries for name, entries in found.maps.items() if entries} == {
        "hosts": {"a.com": "a.com"},
        "wildcards": {"w.com": "*.w.com"},
        "exact": {"*": "b2", "*.w.com/e": "b3"},
        "prefix": {"a.com/": "b1", "a.com/x/": "b3"},
    }
    assert "server s1 [fd00::1]:8080 check" in render.config(found, PATHS)


def test_map_entries_are_sent_in_payloads_below_the_limit() -> None:
    entries = {f"host{i}.example.com/": f"b{i}" for i in range(3000)}
    sent = list(commands.add_entries("/d/prefix.map", entries))
    assert max(len(c.text) for c in sent) < commands.MAX_COMMAND
    lines = [line for c in sent for line in c.text.split("<<\n")[1].splitlines()]
    assert dict(line.split(" ") for line in lines) == entries


def test_unsafe_tokens_never_become_commands() -> None:
    for word in ("a b", "a;b", "a\nb", "", "a\\b", "ü", "a<<b"):
        try:
            list(commands.delete_entries("/d/x.map", [word]))
        except ValueError:
            continue
        raise AssertionError(word)


class Replay:
    """What HAProxy would have after loading a layout and taking commands."""

    def __init__(self, layout: Layout) -> None:
        self.servers = {(p.name, s.name): s.server for p in layout.pools for s in p.slots}
        self.address = {k: v for k, v in self.servers.items() if v}
        self.maps = {PATHS.map(n): dict(layout.maps[n]) for n in MAPS}

    def take(self, text: str) -> None:
        words = text.split("\n", maxsplit=1)[0].split(" ")
        if words[:2] == ["add", "map"]:
            for line in text.split("\n")[1:-1]:
                key, value = line.split(" ")
                assert key not in self.maps[words[2]]
                self.maps[words[2]][key] = value
        elif words[:2] == ["set", "map"]:
            assert words[3] in self.maps[words[2]]
            self.maps[words[2]][words[3]] = words[4]
        elif words[:2] == ["del", "map"]:
            del self.maps[words[2]][words[3]]
        else:
            self.server(words)

    def server(self, words: list[str]) -> None:
        pool, slot = words[2].split("/")
        if words[0] == "add":
            address, port = words[3].rsplit(":", 1)
            assert (pool, slot) not in self.servers
            self.servers[pool, slot], self.address[pool, slot] = None, Server(address, int(port))
        elif words[3:4] == ["addr"]:
            assert self.servers[pool, slot] is None, "a working server must not be re-pointed"
            self.address[pool, slot] = Server(words[4], int(words[6]))
        elif words[3:4] == ["state"]:
            self.servers[pool, slot] = self.address[pool, slot] if words[4] == "ready" else None


SERVICES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.integers(1, 9), unique=True, max_size=9), max_size=6
)


@given(
    st.lists(SERVICES, min_size=2, max_size=6),
    st.sets(st.tuples(st.sampled_from(["b1", "b2", "b3"]), st.sampled_from(["s1", "s2", "s3"]))),
)
def test_any_sequence_of_changes_gives_the_wanted_state(
    turns: list[dict[str, list[int]]], busy: set[tuple[str, str]]
) -> None:
    now = build(_model(turns[0]), None)
    replay = Replay(now)
    for services in turns[1:]:
        model = _model(services)
        decision = plan.plan(now, model, PATHS, frozenset(busy))
        if isinstance(decision, plan.Runtime):
            for command in decision.commands:
                replay.take(command.text)
        elif isinstance(decision, plan.Reload):
            replay = Replay(decision.layout)
        now = decision.layout
        assert replay.servers == {(p.name, s.name): s.server for p in now.pools for s in p.slots}
        assert replay.maps == {PATHS.map(n): dict(now.maps[n]) for n in MAPS}
        working = {p.backend: {s.server for s in p.slots if s.server} for p in now.pools if p.backend}
        assert working == {f"ns/{s}:80": {Server("10.0.0.1", p) for p in found} for s, found in services.items()}
        assert isinstance(plan.plan(now, model, PATHS), plan.Unchanged)
        assert Layout.from_json(now.to_json(), ["IPv4"]) == now


def test_answers_of_haproxy_2_6_and_3_0_are_recognised() -> None:
    """Recorded from HAProxy 2.6.12 and 3.0.11."""
    point = commands.point("b1", "s1", Server("10.0.0.1", 80))
    for answer in (
        "IP changed from '0.0.0.0' to '10.0.0.1', port changed from '1' to '80' by 'stats socket command'",
        "no need to change the addr, port changed from '1' to '80' by 'stats socket command'",
        "port changed from '1' to '80' by 'stats socket command'",
        "no need to change the addr, no need to change the port by 'stats socket command'",
        "nothing changed",
    ):
        assert point.accepts(answer)
    for answer in ("No such server.", "Invalid addr family.", "Require 'backend/server'."):
        assert not point.accepts(answer)
    assert commands.switch("b1", "s1", on=True).accepts("")
    assert not commands.switch("b1", "s1", on=True).accepts("No such server.")
    assert not next(commands.delete_entries("/d/x.map", ["a"])).accepts("Key not found.")


def _large(first: int, count: int) -> Model:
    """One Service with ``count`` servers, from number ``first`` on."""
    servers = tuple(Server(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 80) for n in range(first, first + count))
    return Model(HTTP, (_route("a.com", "/", "a"),), {"ns/a:80": servers})


def _seconds(count: int) -> float:
    """CPU time to plan the change of one server among ``count``; the best of several runs."""
    now, after = build(_large(0, count), None), _large(1, count)
    times = []
    for _ in range(5):
        began = time.process_time()
        decision = plan.plan(now, after, PATHS)
        times.append(time.process_time() - began)
        assert len(_texts(decision)) == 3
    return min(times)


def test_the_time_to_plan_one_change_grows_no_faster_than_the_number_of_servers() -> None:
    assert _seconds(8000) < 32 * max(_seconds(1000), 0.0005), "eight times as many: 8 if linear, 64 if quadratic"


def test_memory_does_not_grow_with_changes_of_a_large_pool() -> None:
    """Endpoints may change many times a second, and the text of a large pool has up to a megabyte."""
    now = build(_large(0, 500), None)
    render.files(now, PATHS)
    tracemalloc.start()
    try:
        for first in range(1, 40):
            now = plan.plan(now, _large(first % 2, 500), PATHS).layout
            assert len(render.files(now, PATHS)[PATHS.config]) > 50_000
            if first == 3:
                before, _ = tracemalloc.get_traced_memory()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1_000_000
