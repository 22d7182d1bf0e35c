"""Render HAProxy's configuration and maps from a layout; every token in it is validated. Pure.

For HAProxy 2.6 (Debian 12) and later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple, get_args

from rancherctl import contract
from rancherctl.ingress.haproxy import access_log, refusals, secured
from rancherctl.ingress.haproxy.client_certificates import NO_RESUMPTION_GLOBAL, NO_RESUMPTION_OPTIONS
from rancherctl.ingress.haproxy.crt_list import CrtLine, ShownLine
from rancherctl.ingress.haproxy.frontend import frontend, https_ports
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.maps import MAPS, PORT_MAPS
from rancherctl.ingress.haproxy.pools import NOTHING, Pool, Slot
from rancherctl.ingress.haproxy.profile_text import EXAMPLES, server_words
from rancherctl.ingress.haproxy.profiles import ALWAYS, BASE, section
from rancherctl.ingress.haproxy.responses import CLOSED_RESPONSE, ERRORS, NO_ROUTE_RESPONSE
from rancherctl.ingress.model import (
    Family,
    digest,
    http_listeners,
    https_listeners,
)
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT, NO_OPTIONS, Protocol, RouteOptions
from rancherctl.net import join_host_port

REDIRECTS_MAP: Final = "to-https"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where HAProxy's files and sockets are, and on which addresses it listens, in HAProxy's notation.

    ``ipv6`` is empty on a host without IPv6. ``descriptors`` limits open files, and with them connections.
    ``keys_on_disk``: whether certificates and their keys are below ``data``; otherwise they are in ``memory``, which is
    empty after a reboot. ``log`` is the datagram socket of the access log's reader.
    """

    data: str = f"{contract.DATA}/ingress"
    run: str = f"{contract.RUN}/ingress"
    log: str = contract.ACCESS_LOG_SOCKET
    memory: str = contract.INGRESS_KEYS
    keys_on_disk: bool = True
    ipv4: str = "*"
    ipv6: str = ""
    descriptors: int = 100_000

    @property
    def families(self) -> tuple[Family, ...]:
        """The address families that it listens on."""
        return ("IPv4", "IPv6") if self.ipv6 else ("IPv4",)

    def bind(self, family: Family) -> str:
        """The address that a listener of this family binds to."""
        return self.ipv6 if family == "IPv6" else self.ipv4

    @property
    def config(self) -> str:
        """The configuration file."""
        return f"{self.data}/haproxy.cfg"

    @property
    def state(self) -> str:
        """The agent's state file."""
        return f"{self.data}/state.json"

    def socket(self, generation: str) -> str:
        """The stats socket of the worker that was started with this generation."""
        return f"{self.run}/admin-{generation}.sock"

    @property
    def master(self) -> str:
        """The master's socket."""
        return f"{self.run}/master.sock"

    def map(self, name: str) -> str:
        """The file of one map; on the socket it is also the name of the map."""
        return f"{self._volatile if name == REDIRECTS_MAP else self.data}/{name}.map"

    @property
    def _volatile(self) -> str:
        """The folder of files that must not outlive the certificates."""
        return self.data if self.keys_on_disk else self.memory

    @property
    def boot(self) -> str:
        """The folder with empty files of those in ``memory``: they take their place when the host starts."""
        return f"{self.data}/boot"

    @property
    def crt_list(self) -> str:
        """The file that says which name gets which certificate."""
        return self.crt_list_of(0)

    def crt_list_of(self, port: int) -> str:
        """The same for an HTTPS port; 0 = the default one."""
        return f"{self._volatile}/certificates{f'-{port}' if port else ''}.list"

    @property
    def certificates(self) -> str:
        """The folder of certificates with their keys."""
        return f"{self.data}/tls" if self.keys_on_disk else self.memory

    @property
    def former(self) -> Paths:
        """Where certificates were before ``ingress.tls.keysOnDisk`` was changed."""
        return replace(self, keys_on_disk=not self.keys_on_disk)

    def certificate(self, content: str) -> str:
        """The file of one certificate with its key."""
        return f"{self.certificates}/{content}.pem"

    def authority(self, name: str) -> str:
        """One file with authorities of clients' certificates."""
        return f"{self.data}/authorities/{name}.pem"

    @property
    def default_certificate(self) -> str:
        """The file of the default certificate, which HAProxy can replace but not remove while it runs."""
        return f"{self.certificates}/default.pem"


class Rendering(NamedTuple):
    """A file to write: ``text()`` is the same as long as ``source`` is equal."""

    source: object
    text: Callable[[], str]


def renderings(layout: Layout, paths: Paths) -> dict[str, Rendering]:
    """All files by absolute path."""
    names = [name for name in MAPS if layout.own_ports or name not in PORT_MAPS]
    out = {paths.map(name): Rendering(entries := layout.maps[name], partial(map_text, entries)) for name in names}
    for port in layout.tls_ports | {0}:
        text = partial(crt_list_text, layout, paths, port)
        out[paths.crt_list_of(port)] = Rendering((layout.lines, layout.default), text)
    process = (layout.listeners, layout.check_seconds, layout.generation, layout.old_workers, bool(layout.default))
    rules = (layout.own_ports, layout.asks_clients, layout.behind_proxies, layout.log_all)
    out[paths.config] = Rendering((process, rules, layout.pools), partial(config, layout, paths))
    return out


def files(layout: Layout, paths: Paths) -> dict[str, str]:
    """The texts of all files by absolute path."""
    return {path: rendering.text() for path, rendering in renderings(layout, paths).items()}


def crt_list_text(layout: Layout, paths: Paths, port: int = 0) -> str:
    """One line for each CrtLine of a port. The default certificate comes first, with a filter that matches no name."""
    default = [f"{paths.default_certificate} !*\n"] if layout.default else []
    return "".join([*default, *(crt_line(line, paths) for line in layout.lines if line.port == port)])


def crt_line(line: CrtLine, paths: Paths) -> str:
    """One line of the crt-list, also for HAProxy's socket."""
    options = f"[{' '.join(secured.name_words(line.options, paths.authority))}] " if line.options.changed else ""
    return f"{paths.certificate(line.content)} {options}{' '.join(line.filters)}\n"


def shown_line(line: CrtLine, paths: Paths) -> ShownLine:
    """What HAProxy shows of a line."""
    words = sorted(secured.name_words(line.options, paths.authority))
    return ShownLine(paths.certificate(line.content), tuple(words), tuple(sorted(line.filters)), line.port)


def map_text(entries: Mapping[str, str]) -> str:
    """One line ``key value`` for each entry, sorted."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def config(layout: Layout, paths: Paths) -> str:
    """haproxy.cfg."""
    return _global(paths, layout) + _body(layout, paths)


def text_digest(paths: Paths) -> str:
    """A digest of the text around what a layout decides.

    A HAProxy that was started with another one must be reloaded: a new release writes other rules. ``EXAMPLES`` has
    every option with text.
    """
    listeners = (*http_listeners(HTTP_PORT, paths.families), *https_listeners(HTTPS_PORT, paths.families))
    samples = (*EXAMPLES, *(RouteOptions(protocol=protocol) for protocol in get_args(Protocol)))
    pools = tuple(Pool.of(f"b{n}", "", (Slot("s1"),), options) for n, options in enumerate(samples, 1))
    own = tuple(replace(listener, own=True) for listener in listeners)
    layouts = (
        Layout(listeners=listeners, pools=pools, asks_clients=True),
        Layout(
            listeners=(*listeners, *own),
            pools=pools,
            own_ports=True,
            asks_clients=True,
            behind_proxies=True,
            log_all=True,
        ),
    )
    return digest("".join(config(layout, paths) for layout in layouts))


def _global(paths: Paths, layout: Layout) -> str:
    # Headers of a request or response may have bufsize - maxrewrite = 28 KB; each active stream takes 32 KB more.
    # Old workers end after ten minutes or a few reloads, whichever comes first: their connections continue until then,
    # and memory stays bounded.
    return f"""# Written by rancherctl, changes are overwritten.
global
  description {layout.generation}
  stats socket unix@{paths.socket(layout.generation)} mode 600 level admin
  stats timeout 10s
  hard-stop-after 10m
  mworker-max-reloads {layout.old_workers}
  fd-hard-limit {paths.descriptors}
  spread-checks 5
  tune.bufsize 32768
  tune.maxrewrite 4096
  tune.http.maxhdr 256
  ssl-load-extra-files none
{NO_RESUMPTION_GLOBAL if layout.asks_clients else ""}\
  ssl-default-bind-options ssl-min-ver TLSv1.2{f" {NO_RESUMPTION_OPTIONS}" if layout.asks_clients else ""}
{refusals.GLOBAL_TEXT}"""


def _body(layout: Layout, paths: Paths) -> str:
    parts = [_defaults(), _monitor(paths)]
    log = access_log.frontend_lines(paths.log, paths.map, log_all=layout.log_all)
    for listener in layout.listeners:
        crt_list = paths.crt_list_of(listener.port if listener.own else 0)
        parts.append(frontend(listener, layout, paths.bind(listener.family), crt_list, paths.map) + log)
    if layout.listeners:
        parts.append(_OWN_BACKENDS)
        if (ports := https_ports(layout)) is not None:
            parts.append(secured.redirect_backend(BASE, paths.map, ports))
        used = {*ALWAYS, *(pool.profile for pool in layout.pools)}
        parts += [
            section(profile, paths.map, log_all=layout.log_all)
            for profile in sorted(used, key=lambda profile: profile.name)
        ]
    parts += [_pool(p, layout.check_seconds) for p in layout.pools]
    return "".join(parts)


def _defaults() -> str:
    # idle-close-on-response: a connection that is idle during a reload gets one more answer instead of a reset.
    # tcp-ut ends a request that a lost host does not acknowledge; it is then retried on another server.
    # A lost host may have several pods of one Service, and each try on one of them costs a connect timeout.
    errors = "".join(f"  http-error {error.arguments}\n" for error in ERRORS)
    return f"""
defaults {BASE}
  mode http
  balance roundrobin
  timeout connect 500ms
  timeout check 1s
  timeout client 5m
  timeout server {NO_OPTIONS.read_timeout}ms
  timeout tunnel {NO_OPTIONS.tunnel_timeout}ms
  timeout queue 5s
  timeout http-request 10s
  timeout http-keep-alive 60s
  timeout client-fin 30s
  timeout server-fin 30s
  retries 5
  option redispatch 1
  retry-on conn-failure empty-response
  option idle-close-on-response
  option srvtcpka
  srvtcpka-idle 5s
  srvtcpka-intvl 2s
  srvtcpka-cnt 3
  default-server tcp-ut 1s
{errors}"""


def _monitor(paths: Paths) -> str:
    return f"""
frontend monitor from {BASE}
  bind unix@{paths.run}/monitor.sock mode 600
  http-request return status 200 content-type text/plain string "ok"
"""


_OWN_BACKENDS = "".join(
    f"\nbackend {own.origin} from {BASE}\n  http-request return {own.arguments}\n"
    for own in (NO_ROUTE_RESPONSE, CLOSED_RESPONSE)
)


_texts: dict[str, tuple[Pool, int, str]] = {}
"""The last text of each pool by its name: from one change to the next, most pools stay the same object."""


def _pool(pool: Pool, seconds: int) -> str:
    known = _texts.get(pool.name)
    if known is not None and known[0] is pool and known[1] == seconds:
        return known[2]
    lines = [f"\nbackend {pool.name} from {pool.profile.name}  # {pool.key or 'spare'}\n"]
    words = server_words(pool.profile.text, seconds)
    lines += [_server(slot, words) for slot in pool.slots]
    text = "".join(lines)
    _texts[pool.name] = (pool, seconds, text)
    return text


def _server(slot: Slot, words: str) -> str:
    address = join_host_port(*(slot.server or NOTHING))
    return f"  server {slot.name} {address} {words}{'' if slot.server else ' disabled'}\n"
