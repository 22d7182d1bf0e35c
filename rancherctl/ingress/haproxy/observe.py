"""Read from HAProxy's socket what it has now, and compare that with a layout."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.ingress.haproxy import crt_list
from rancherctl.ingress.haproxy.crt_list import CrtChange, ShownLine
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.maps import NETWORK_MAPS
from rancherctl.ingress.haproxy.plan import Busy
from rancherctl.ingress.haproxy.pools import Pool, Slot
from rancherctl.ingress.haproxy.render import Paths, shown_line
from rancherctl.ingress.haproxy.runtime import Socket

# Bits of srv_admin_state that disable a server: forced, inherited and resolution maintenance. 0x04 only says that the
# configuration file disables it.
_MAINTENANCE = 0x01 | 0x02 | 0x20

_RELOADS = re.compile(r"^\d+ +master +(\d+) \[failed: (\d+)\]", re.MULTILINE)
_USED = re.compile(r"^Status: Used$", re.MULTILINE)
_ENTRY = re.compile(r'key="([^"]*)", value="([^"]*)"')
MAX_SINGLE_READS = 100
"""More pools and keys than this are verified by reading everything at once."""


LiveLine = tuple[int, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Info:
    """The worker process that answers. ``generation`` is that of the layout that it was started with.

    ``dropped_logs``: lines of the access log for which the socket of its reader had no room.
    """

    pid: int
    version: str
    generation: str
    dropped_logs: int = 0


@dataclass(frozen=True, slots=True)
class Reloads:
    """How often a master was reloaded, and how often in a row that failed."""

    count: int = 0
    failed: int = 0

    def failed_after(self, before: Reloads) -> bool:
        """Whether the last reload failed and came after ``before``."""
        return self.failed > 0 and self.count > before.count


@dataclass(frozen=True, slots=True)
class LiveState:
    """``servers``: (pool, slot) → (address, port, enabled). ``maps``: name → key → value.

    ``lines`` of the crt-lists are sorted.
    """

    servers: Mapping[tuple[str, str], tuple[str, int, bool]]
    maps: Mapping[str, Mapping[str, str]]
    lines: tuple[ShownLine, ...] = ()


def info(socket: Socket) -> Info:
    """Parse ``show info``. Raises HaproxyError."""
    fields = dict(line.split(": ", 1) for line in socket.send("show info").splitlines() if ": " in line)
    return Info(
        int(fields.get("Pid", "0")),
        fields.get("Version", ""),
        fields.get("description", fields.get("Description", "")),
        int(fields.get("DroppedLogs", "0")),
    )


def reloads(master: Socket) -> Reloads:
    """Parse ``show proc``. Raises HaproxyError."""
    found = _RELOADS.search(master.send("show proc"))
    return Reloads(int(found[1]), int(found[2])) if found else Reloads()


def parse_servers(text: str) -> dict[tuple[str, str], tuple[str, int, bool]]:
    """Parse ``show servers state``, version 1."""
    out: dict[tuple[str, str], tuple[str, int, bool]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 18 and not line.startswith("#"):
            out[words[1], words[3]] = (words[4], int(words[18]), not int(words[6]) & _MAINTENANCE)
    return out


def parse_map(text: str) -> dict[str, str]:
    """Parse ``show map FILE``: lines of pointer, key, value."""
    return {words[1]: words[2] for line in text.splitlines() if len(words := line.split()) == 3}


def live(socket: Socket, paths: Paths, layout: Layout) -> LiveState:
    """Read everything that ``layout`` decides. Raises HaproxyError."""
    maps = {name: parse_map(socket.send(f"show map {paths.map(name)}")) for name in layout.loaded_maps}
    lines = crt_lines(socket, paths, layout.tls_ports)
    return LiveState(parse_servers(socket.send("show servers state")), maps, lines)


def crt_lines(socket: Socket, paths: Paths, ports: Iterable[int]) -> tuple[ShownLine, ...]:
    """The lines in use of the crt-lists of these ports, sorted. Raises HaproxyError."""
    out: list[ShownLine] = []
    for port in ports:
        text = socket.send(f"show ssl crt-list -n {paths.crt_list_of(port)}", allow_empty=True)
        out += [line._replace(port=port) for _, line in crt_list.parse(text) if line.file.startswith("/")]
    return tuple(sorted(out))


def busy(socket: Socket, pools: Iterable[str]) -> Busy:
    """Slots of these pools that still have connections to their last server. Raises HaproxyError.

    Idle connections count.
    """
    out: set[tuple[str, str]] = set()
    for pool in pools:
        columns: list[str] = []
        for line in socket.send(f"show servers conn {pool}").splitlines():
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
    """Like ``differences``, for the pools and (map, key) pairs that a few commands changed."""
    if len(pools) + len(keys) > MAX_SINGLE_READS:
        return differences(layout, live(socket, paths, layout), paths)
    out: list[str] = []
    for pool in layout.pools:
        if pool.name in pools:
            out += _pool(pool, parse_servers(socket.send(f"show servers state {pool.name}")))
    networks = {name: parse_map(socket.send(f"show map {paths.map(name)}")) for name, _ in keys if name in NETWORK_MAPS}
    for name, key in keys:
        if name in networks:
            out += _entry(name, key, networks[name].get(key), layout)
            continue
        found = _ENTRY.search(socket.send(f"get map {paths.map(name)} {key}"))
        out += _entry(name, key, found.group(2) if found and found.group(1) == key else None, layout)
    return tuple(out)


def changed_certificates(socket: Socket, paths: Paths, layout: Layout, change: CrtChange) -> tuple[str, ...]:
    """Like ``differences``, for the certificates of a change. Raises HaproxyError."""
    others = {line.content for line in (*change.add, *change.delete)}.difference(change.install, change.forget)
    if others or len(change.add) + len(change.delete) > MAX_SINGLE_READS:
        return tuple(certificate_differences(layout, crt_lines(socket, paths, layout.tls_ports), paths))
    expected = dict.fromkeys(change.forget, False) | dict.fromkeys(change.install, True)
    return tuple(
        f"certificate {content} is {'not ' if used else 'still '}in use"
        for content, used in expected.items()
        if bool(_USED.search(socket.send(f"show ssl cert {paths.certificate(content)}"))) != used
    )


def _entry(name: str, key: str, have: str | None, layout: Layout) -> list[str]:
    want = layout.maps[name].get(key)
    return [] if have == want else [f"map {name}: {key} is {have}, expected {want}"]


def differences(layout: Layout, found: LiveState, paths: Paths, *, limit: int = 5) -> tuple[str, ...]:
    """How HAProxy differs from ``layout``, at most ``limit`` lines; () if it does not."""
    out = [line for pool in layout.pools for line in _pool(pool, found.servers)]
    for name in layout.loaded_maps:
        have, want = found.maps[name], layout.maps[name]
        out += [
            f"map {name}: {key} is {have.get(key)}, expected {want.get(key)}"
            for key in sorted(have.keys() | want.keys())
            if have.get(key) != want.get(key)
        ]
    out += certificate_differences(layout, found.lines, paths)
    return tuple(out[:limit])


def certificate_differences(layout: Layout, found: Iterable[ShownLine], paths: Paths) -> list[str]:
    """How the crt-lists in use differ from ``layout``."""
    ports = layout.tls_ports
    wanted = Counter(shown_line(line, paths) for line in layout.lines if line.port in ports)
    if layout.default:
        wanted.update(ShownLine(paths.default_certificate, (), ("!*",), port) for port in ports)
    have = Counter(found)
    return [
        f"certificate {' '.join([line.file.rpartition('/')[2], *line.words])} for {' '.join(line.names[:3])}"
        f"{f' on port {line.port}' if line.port else ''} is {'missing' if too_few else 'not expected'}"
        for lines, too_few in ((wanted - have, True), (have - wanted, False))
        for line in sorted(lines)
    ]


def _pool(pool: Pool, found: Mapping[tuple[str, str], tuple[str, int, bool]]) -> list[str]:
    compared = ((slot, _slot(slot, found.get((pool.name, slot.name)))) for slot in pool.slots)
    return [f"server {pool.name}/{slot.name} {why}" for slot, why in compared if why]


def _slot(slot: Slot, found: tuple[str, int, bool] | None) -> str:
    if found is None:
        return "is missing"
    address, port, enabled = found
    if slot.server is None:
        return f"is enabled with {address}:{port} but should be disabled" if enabled else ""
    if (address, port) != (slot.server.address, slot.server.port):
        return f"points to {address}:{port}, expected {slot.server.address}:{slot.server.port}"
    return "" if enabled else "is disabled"
