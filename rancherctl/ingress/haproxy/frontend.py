"""The front end of a listener in HAProxy's configuration: which pool gets a request. Pure.

The host decides the tier (precise name, else one-label wildcard, else any); within the tier an exact path, else the
longest prefix, else the default backend, else 404. A slash is appended to the path of a request before it is compared
with prefixes, which also end with one: so prefixes match whole elements.
"""

from __future__ import annotations

from collections.abc import Callable

from rancherctl.ingress.haproxy import client_certificates, forwarded, secured
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.listeners import frontend_name
from rancherctl.ingress.haproxy.profiles import BASE
from rancherctl.ingress.haproxy.responses import ORIGIN
from rancherctl.ingress.model import Listener


def frontend(listener: Listener, layout: Layout, bind: str, crt_list: str, map_file: Callable[[str], str]) -> str:
    """The front end of one listener on the address ``bind``; ``crt_list`` is the file of its certificates."""
    # On a port of its own, hosts are looked up with the port. On the default HTTPS port, a tier may be replaced.
    own_port = listener.port if listener.own else 0
    port = f",concat(:{own_port})" if own_port else ""
    anything = f"*:{own_port}" if own_port else "*"
    wildcard = f"var(txn.host),field(2,.,0){port},map_str({map_file('wildcards')})"
    https = listener.protocol == "https"
    tls = secured.bind_words(crt_list, strict=not layout.default) if https else ""
    ports = None if https else https_ports(layout)
    redirects = secured.redirect_lines(map_file, ports, acme=not listener.own) if ports is not None else ""
    asks_clients = https and layout.asks_clients
    unknown, fallback, replace_tiers = anything, f"str({anything})", ""
    if https and layout.own_ports and not own_port:
        fallback, anything = "var(txn.any)", f"* {secured.ANY_ON_HTTPS}"
        replace_tiers = secured.tier_lines(map_file)
    return f"""
frontend {frontend_name(listener)} from {BASE}
  bind {bind}:{listener.port}{" v6only" if listener.family == "IPv6" else ""}\
{tls}
{forwarded.connection_lines(map_file)}\
{client_certificates.connection_lines(map_file, own_port) if asks_clients else ""}\
  http-request set-var(txn.host) req.fhdr(host),host_only,lower,rtrim(.)
  http-request set-var(txn.tier) var(txn.host){port},map_str({map_file("hosts")})
  acl known var(txn.tier) -m found
  acl routed var(txn.pool) -m found
  http-request set-var(txn.tier) {wildcard} if !known !{{ var(txn.host) -m beg . }}
  http-request set-var(txn.tier) str({unknown}) if !known
{replace_tiers}\
  http-request set-var(txn.path) path
  http-request set-var(txn.pool) var(txn.tier),concat(,txn.path),map_str({map_file("exact")})
  http-request set-var(txn.pool) var(txn.tier),concat(,txn.path,/),map_beg({map_file("prefix")}) if !routed
  http-request set-var(txn.pool) {fallback},map_str({map_file("exact")}) if !routed
  http-request disable-l7-retry unless {{ method GET HEAD OPTIONS PUT DELETE }}
{secured.request_lines(map_file, anything) if https else ""}\
{client_certificates.request_lines(map_file, own_port) if asks_clients else ""}{client_certificates.FORGED_LINE}\
{forwarded.request_lines(listener.protocol, map_file if layout.behind_proxies else None)}\
{redirects}\
  http-response del-header {ORIGIN}
  use_backend %[var(txn.pool)]
  default_backend no-route
"""


def https_ports(layout: Layout) -> secured.HttpsPorts | None:
    """Where plain requests may be redirected to; None without HTTPS."""
    https = [x for x in layout.listeners if x.protocol == "https"]
    default = next((x.port for x in https if not x.own), 0)
    return secured.HttpsPorts(default, layout.own_ports) if https else None
