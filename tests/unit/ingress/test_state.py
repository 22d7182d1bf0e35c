"""The agent's state file: written, read again, damaged, and recorded from earlier releases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.haproxy.layout import Layout, build
from rancherctl.ingress.model import BackendRef, Listener, Model, Route, Server
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions
from rancherctl.ingress.role.state import State

DATA = Path(__file__).parents[2] / "data" / "ingress"

MODEL = Model(
    (Listener("IPv4", 80), Listener("IPv6", 80)),
    (
        Route("a.com", "prefix", "/", BackendRef("ns", "a", 80)),
        Route("b.com", "exact", "/x", BackendRef("ns", "b", 0, "http"), RouteOptions(read_timeout=1000)),
    ),
    {"ns/a:80": (Server("10.0.0.1", 1), Server("fd00::1", 2))},
    {"ns/i": "h"},
)


def test_a_state_survives_a_round_trip_and_damage_is_detected() -> None:
    state = State(build(MODEL, None), ("ns/a",), 4, 5, "192.0.2.1")
    assert State.decode(state.encode(), ["IPv4"]) == state
    data = bytearray(state.encode())
    for place in (0, 70, len(data) - 1):
        broken = bytes(data[:place]) + bytes([data[place] ^ 1]) + bytes(data[place + 1 :])
        with pytest.raises(ValueError):
            State.decode(broken, ["IPv4"])
    with pytest.raises(ValueError):
        State.decode(b"", ["IPv4"])


def test_the_recorded_state_of_release_0_1_is_read() -> None:
    """It names ports instead of listeners, and pools without options; its hashes have no scheme."""
    state = State.decode((DATA / "release_0.1" / "state.json").read_bytes(), ["IPv4", "IPv6"])
    layout = state.layout
    assert layout.listeners == (Listener("IPv4", 80), Listener("IPv6", 80))
    assert layout.hash_scheme == 0
    assert layout.loaded == {"default/rest": "f03b8b9d119a", "default/shop": "0081eb39ff0b"}
    assert {p.key: sorted(p.servers) for p in layout.pools if p.key} == {
        "default/api:80": [("10.42.1.8", 8000)],
        "default/api:admin": [("10.42.1.8", 9001)],
        "default/none:80": [],
        "default/web:80": [("10.42.2.9", 8080), ("10.42.3.3", 8080)],
    }
    assert {p.options for p in layout.pools} == {NO_OPTIONS}
    used = next(p for p in layout.pools if p.key == "default/web:80").slots[0]
    assert (used.server, used.used) == (None, True), "it may have connections to the pod that it had before"
    assert layout.maps["prefix"]["*.example.com/a:b/c/"] == "b1"
    assert (state.serving, state.epoch, state.sequence) == (("default/rest", "default/shop"), 3, 17)
    assert state.address == "192.0.2.1"
    assert State.decode(state.encode(), []) == state, "what is written again needs no address families"


@pytest.mark.parametrize(
    "layout",
    [
        {"listeners": [["IPv5", 80, "http", []]]},
        {"listeners": [["IPv4", 80, "gopher", []]]},
        {"listeners": [["IPv4", 80]]},
        {"pools": [["b1", "ns/a:80", 4, [], {"option_of_a_later_release": 1}]]},
        {"generation": "a/b"},
    ],
)
def test_a_layout_with_unknown_parts_is_not_a_layout(layout: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Layout.from_json(build(MODEL, None).to_json() | layout, ["IPv4"])
