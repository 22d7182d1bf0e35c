"""What HAProxy has been given: pools with server slots, and maps (maps.py). Pure values and their JSON.

A pool is one of HAProxy's backends. Pools and slots are prepared in advance and reused: HAProxy can fill, empty and
re-point them while it runs, but cannot rename them. So the name of a pool says nothing; this layout says which backend
is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, get_args

from rancherctl.ingress.haproxy import crt_list, pools
from rancherctl.ingress.haproxy.client_certificates import NAMES_MAP
from rancherctl.ingress.haproxy.crt_list import CrtLine
from rancherctl.ingress.haproxy.maps import INGRESS_MAP, LATER_MAPS, MAPS, PORT_MAPS, maps_of
from rancherctl.ingress.haproxy.pools import Pool
from rancherctl.ingress.haproxy.responses import CLOSED
from rancherctl.ingress.model import HASH_SCHEME, BackendRef, Family, Listener, Model, PathKind, Route
from rancherctl.ingress.options import CLOSED as CLOSED_OPTIONS

CHECKS_PER_SECOND = 250
MIN_OLD_WORKERS, MAX_OLD_WORKERS = 2, 8
OLD_WORKERS_MEMORY = 512 << 20
"""Bytes that earlier processes may use together, if MIN_OLD_WORKERS need no more."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that decides HAProxy's files and state.

    ``loaded`` are content hashes by Ingress key, computed by ``hash_scheme``. ``check_seconds`` is the pause between
    two active checks of a server. ``generation`` names the process started with this layout and the socket of that
    process, so that no command reaches an earlier process. ``text`` is the digest of the configuration's fixed text
    (``render.text_digest``) that the process was started with; "" in states of release 0.1. ``lines`` are those of the
    crt-list, ``default`` is the content of the default certificate ("" = none), ``secured`` are the loaded Ingresses
    that need HTTPS. ``old_workers``: how many earlier processes may still serve their connections.

    ``ports`` are those that loaded Ingresses need, of all that do not have the default ones. ``own_ports``: the process
    knows such ports; a listener that no Ingress needs any more stays until the next process. ``behind_proxies``: it has
    rules about trusted proxies.

    ``authorities``: files with authorities of clients' certificates → contents; ``asks_clients``: whether the process
    was started for them. ``log_all``: whether front ends log requests without an error;
    pools decide which.
    """

    listeners: tuple[Listener, ...] = ()
    pools: tuple[Pool, ...] = ()
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {name: {} for name in MAPS})
    loaded: Mapping[str, str] = field(default_factory=dict)
    check_seconds: int = 2
    generation: str = "idle"
    hash_scheme: int = HASH_SCHEME
    text: str = ""
    lines: tuple[CrtLine, ...] = ()
    default: str = ""
    secured: frozenset[str] = frozenset()
    old_workers: int = MAX_OLD_WORKERS
    authorities: Mapping[str, str] = field(default_factory=dict)
    asks_clients: bool = False
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    own_ports: bool = False
    behind_proxies: bool = False

    @property
    def loaded_maps(self) -> tuple[str, ...]:
        """Names of the maps that its listeners need: HAProxy does not load others."""
        open_for = {listener.protocol for listener in self.listeners}
        unused = {
            *(() if self.own_ports else PORT_MAPS),
            *(() if self.behind_proxies else ("trusted",)),
            *(() if "https" in open_for else ("secured",)),
            *(() if "https" in open_for and self.asks_clients else (NAMES_MAP,)),
            *(() if len(open_for) == 2 else ("to-https", "https-ports")),
            *(() if any(x.protocol == "https" and not x.own for x in self.listeners) else ("tls-tiers",)),
        }
        return tuple(name for name in MAPS if name not in unused) if self.listeners else ()

    @property
    def tls_ports(self) -> frozenset[int]:
        """Ports of its crt-lists, as in CrtLine."""
        return frozenset(x.port if x.own else 0 for x in self.listeners if x.protocol == "https")

    log_all: bool = False

    @property
    def contents(self) -> frozenset[str]:
        """All certificates in use."""
        return frozenset({line.content for line in self.lines} | ({self.default} - {""}))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the agent's state file, which later releases read too."""
        return {
            "listeners": [
                [x.family, x.port, x.protocol, list(x.certificates), *([True] if x.own else [])] for x in self.listeners
            ],
            "pools": [pools.to_json(p) for p in self.pools],
            "maps": {
                name: dict(entries) for name, entries in self.maps.items() if self.own_ports or name not in PORT_MAPS
            },
            "loaded": dict(self.loaded),
            "check_seconds": self.check_seconds,
            "generation": self.generation,
            "hash_scheme": self.hash_scheme,
            "text": self.text,
            "certificates": [line.to_json() for line in self.lines],
            "default_certificate": self.default,
            "secured": sorted(self.secured),
            "old_workers": self.old_workers,
            "behind_proxies": self.behind_proxies,
            **({"needed_ports": {key: list(ports) for key, ports in self.ports.items()}} if self.own_ports else {}),
            "authorities": dict(sorted(self.authorities.items())),
            "asks_clients": self.asks_clients,
            "log_all": self.log_all,
        }

    @staticmethod
    def from_json(data: Any, families: Sequence[Family]) -> Layout:
        """Parse the output of ``to_json``, also that of release 0.1. Raises ValueError if it is not a layout.

        Release 0.1 wrote ports, on which it listened in all address families of the host (``families``).
        """
        try:
            return Layout(
                listeners=(
                    tuple(map(_listener, data["listeners"]))
                    if "listeners" in data
                    else tuple(Listener(family, int(port)) for port in data["ports"] for family in families)
                ),
                pools=tuple(pools.from_json(*pool) for pool in data["pools"]),
                maps={name: {str(k): str(v) for k, v in _map(data["maps"], name).items()} for name in MAPS},
                loaded={str(k): str(v) for k, v in data["loaded"].items()},
                check_seconds=int(data["check_seconds"]),
                generation=_token(data["generation"]),
                hash_scheme=int(data.get("hash_scheme", 0)),
                text=str(data.get("text", "")),
                lines=tuple(CrtLine.from_json(*line) for line in data.get("certificates", ())),
                default=str(data.get("default_certificate", "")),
                secured=frozenset(map(str, data.get("secured", ()))),
                old_workers=int(data.get("old_workers", MAX_OLD_WORKERS)),
                ports={str(k): tuple(map(int, p)) for k, p in data.get("needed_ports", {}).items()},
                own_ports="needed_ports" in data,
                authorities={_token(k): str(v) for k, v in data.get("authorities", {}).items()},
                asks_clients=bool(data.get("asks_clients", False)),
                behind_proxies=bool(data.get("behind_proxies", _map(data["maps"], "trusted"))),
                log_all=data.get("log_all") is True,
            )
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"not a layout: {error!r}") from error


def old_workers(memory: int) -> int:
    """How many earlier processes may live if each uses so many bytes; 0 = unknown."""
    return max(MIN_OLD_WORKERS, min(MAX_OLD_WORKERS, OLD_WORKERS_MEMORY // memory)) if memory else MAX_OLD_WORKERS


def _map(maps: Any, name: str) -> Any:
    return maps.get(name, {}) if name in LATER_MAPS else maps[name]


def _listener(value: Any) -> Listener:
    family, port, protocol, certificates, *own = value
    if family not in get_args(Family) or protocol not in {"http", "https"}:
        raise ValueError(f"unknown listener: {value!a}")
    return Listener(family, int(port), protocol, tuple(map(str, certificates)), bool(own))


def _token(text: Any) -> str:
    if not isinstance(text, str) or not text.isalnum() or not text.isascii():
        raise ValueError(f"not a token: {text!a}")
    return text


def routes_of(layout: Layout) -> list[Route]:
    """The routes that give this layout.

    The default of a host is returned as its prefix ``/``, which has the same effect.
    """
    led = {p.name: (BackendRef.of(p.backend), p.options) for p in layout.pools if p.backend}
    led[CLOSED] = BackendRef("", "", 0), CLOSED_OPTIONS

    def route(host: str, kind: PathKind, path: str, pool: str) -> Route:
        return Route(host, kind, path, *led[pool], layout.maps[INGRESS_MAP].get(pool, ""))

    out = [route(key, "default", "", pool) for key, pool in layout.maps["exact"].items() if "/" not in key]
    kinds: tuple[PathKind, ...] = ("exact", "prefix")
    for kind in kinds:
        for key, pool in layout.maps[kind].items():
            host, slash, path = key.partition("/")
            if slash:
                out.append(route(host, kind, slash + path, pool))
    return out


def build(model: Model, previous: Layout | None) -> Layout:
    """A fresh layout for a new process.

    Pools keep the names they had; slots are filled from the first one on.
    """
    wanted = {r.pool_key: r for r in sorted(model.routes, key=lambda r: r.pool_key) if r.pool_key}
    kept = {p.key: p.name for p in previous.pools if p.key} if previous else {}
    taken = {kept[key] for key in wanted if key in kept}
    numbers = (n for n in count(1) if f"b{n}" not in taken)
    names = {key: kept.get(key) or f"b{next(numbers)}" for key in wanted}
    made = [
        pools.filled(names[key], route.backend.key, route.options, model.servers_of(route))
        for key, route in wanted.items()
    ]
    total = sum(len(pool.servers) for pool in made)
    if model.listeners:
        made += [pools.spare(f"b{next(numbers)}", profile) for profile in pools.spare_profiles(made)]
    made.sort(key=lambda p: int(p.name[1:]))
    return Layout(
        listeners=model.listeners,
        pools=tuple(made),
        maps=maps_of(model, made),
        loaded=dict(model.loaded),
        check_seconds=max(2, -(-total // CHECKS_PER_SECOND)),
        lines=crt_list.change((), model.tls.names, model.tls.options, model.tls.excluded).lines,
        default=model.tls.default,
        secured=model.secured,
        ports=dict(model.ports),
        own_ports=bool(model.ports),
        authorities=dict(model.tls.authorities),
        asks_clients=bool(model.tls.clients),
        behind_proxies=bool(model.proxies.trusted),
        log_all=logs_all(model),
    )


def logs_all(model: Model) -> bool:
    """Whether any route logs requests without an error."""
    return any(route.options.access_log == "true" for route in model.routes)
