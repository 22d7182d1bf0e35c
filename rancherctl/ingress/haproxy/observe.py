"""What HAProxy has right now, read from its socket, and how that differs from a layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.ingress.haproxy.layout import MAPS, Layout, Pool, Slot
from rancherctl.ingress.haproxy.plan import Busy
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.haproxy.runtime import Socket

# Bits of srv_admin_state that keep a server from working: forced, inherited and resolution maintenance (0x04 only says that the file has it so).
_MAINTENANCE = 0x01 | 0x02 | 0x20

_ENTRY = re.compile(r'key="([^"]*)", value="([^"]*)"')
MANY = 100


@dataclass(frozen=True, slots=True)
class Info:
    """The worker process that answers: its pid, version, and the generation that it was started as."""

    pid: int
    version: str
    generation: str


@dataclass(frozen=True, slots=True)
class Live:
    """Servers by (pool, slot): address, port, and whether it works; map entries by map name."""

    servers: Mapping[tuple[str, str], tuple[str, int, bool]]
    maps: Mapping[str, Mapping[str, str]]


def info(socket: Socket) -> Info:
    """``show info``."""
    fields = dict(line.split(": ", 1) for line in socket.ask("show info").splitlines() if ": " in line)
    return Info(
        int(fields.get("Pid", "0")), fields.get("Version", ""), fields.get("description", fields.get("Description", ""))
    )


def parse_servers(text: str) -> dict[tuple[str, str], tuple[str, int, bool]]:
    """``show servers state`` of version 1."""
    out: dict[tuple[str, str], tuple[str, int, bool]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 18 and not line.startswith("#"):
            out[words[1], words[3]] = (words[4], int(words[18]), not int(words[6]) & _MAINTENANCE)
    return out


def parse_map(text: str) -> dict[str, str]:
    """``show map FILE``: pointer, key, value."""
    return {words[1]: words[2] for line in text.splitlines() if len(words := line.split()) == 3}


def live(socket: Socket, paths: Paths) -> Live:
    """Everything that a layout decides."""
    maps = {name: parse_map(socket.ask(f"show map {paths.map(name)}")) for name in MAPS}
    return Live(parse_servers(socket.ask("show servers state")), maps)


def busy(socket: Socket, pools: Iterable[str]) -> Busy:
    """Slots of these pools that still have connections to where they pointed last, in use or idle."""
    out: set[tuple[str, str]] = set()
    for pool in pools:
        columns: list[str] = []
        for line in socket.ask(f"show servers conn {pool}").splitlines():
            words = line.lstrip("# ").split()
            if line.startswith("#"):
                columns = words
            elif columns and "/" in words[0]:
                row = dict(zip(columns, words, strict=False))
                if int(row["used_cur"]) or int(row["idle_cur"]):
                    name, _, slot = words[0].partition("/")
                    out.add((name, slot))
    return frozenset(out)


def touched(
    socket: Socket, paths: Paths, layout: Layout, pools: frozenset[str], keys: tuple[tuple[str, str], ...]
) -> tuple[str, ...]:
    """Like ``differences``, for some pools and map keys only: what a few commands changed is read back, not everything."""
    if len(pools) + len(keys) > MANY:
        return differences(layout, live(socket, paths))
    out: list[str] = []
    for pool in layout.pools:
        if pool.name in pools:
            out += _pool(pool, parse_servers(socket.ask(f"show servers state {pool.name}")))
    for name, key in keys:
        found = _ENTRY.search(socket.ask(f"get map {paths.map(name)} {key}"))
        have = found.group(2) if found and found.group(1) == key else None
        if have != layout.maps[name].get(key):
            out.append(f"map {name}: {key} is {have}, not {layout.maps[name].get(key)}")
    return tuple(out)


def differences(layout: Layout, found: Live, *, limit: int = 5) -> tuple[str, ...]:
    """How HAProxy differs from ``layout``, at most ``limit`` lines; () when it agrees."""
    out = [line for pool in layout.pools for line in _pool(pool, found.servers)]
    if layout.listeners:  # HAProxy loads maps for front ends only
        for name in MAPS:
            have, want = found.maps[name], layout.maps[name]
            out += [
                f"map {name}: {key} is {have.get(key)}, not {want.get(key)}"
                for key in sorted(have.keys() | want.keys())
                if have.get(key) != want.get(key)
            ]
    return tuple(out[:limit])


def _pool(pool: Pool, found: Mapping[tuple[str, str], tuple[str, int, bool]]) -> list[str]:
    compared = ((slot, _slot(slot, found.get((pool.name, slot.name)))) for slot in pool.slots)
    return [f"server {pool.name}/{slot.name} {why}" for slot, why in compared if why]


def _slot(slot: Slot, found: tuple[str, int, bool] | None) -> str:
    if found is None:
        return "is missing"
    address, port, works = found
    if slot.server is None:
        return f"works at {address}:{port} but should be switched off" if works else ""
    if (address, port) != (slot.server.address, slot.server.port):
        return f"points to {address}:{port}, not {slot.server.address}:{slot.server.port}"
    return "" if works else "is switched off"
