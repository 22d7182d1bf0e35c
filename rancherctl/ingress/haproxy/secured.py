"""Configuration lines about TLS: listeners, misdirected requests, redirects from HTTP. Pure.

A client may send requests for several names over one connection if its certificate covers them (RFC 9110 7.4). They are
answered wherever the rules are known. 421 tells the client to open another connection; it is sent only if the name is
unknown here or its certificate is not here, because some browsers never repeat a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rancherctl.ingress.haproxy import client_certificates
from rancherctl.ingress.haproxy.responses import MISDIRECTED_RESPONSE, ORIGIN, TLS_REDIRECT
from rancherctl.ingress.matcher import ACME
from rancherctl.ingress.options import TlsOptions

REDIRECT_CODE: Final = 308
"""Keeps method and body; browsers remember it."""


ANY_ON_HTTPS: Final = "*:443"
"""The tier of names that no rule is for, where the default HTTPS port has other rules for them than plain HTTP."""


def bind_words(crt_list: str, *, strict: bool) -> str:
    """The rest of a ``bind`` line. ``strict`` refuses clients that ask for no name or for one without certificate."""
    return f" ssl crt-list {crt_list}{' strict-sni' if strict else ''} alpn h2,http/1.1"


def name_words(options: TlsOptions, authority_file: Callable[[str], str]) -> tuple[str, ...]:
    """What a line of the crt-list says about its names, beside their certificate."""
    alpn = () if options.http2 else ("alpn", "http/1.1")
    version = () if options.tls_min_version == "1.2" else ("ssl-min-ver", f"TLSv{options.tls_min_version}")
    return (*alpn, *version, *client_certificates.name_words(options, authority_file))


def tier_lines(map_file: Callable[[str], str]) -> str:
    """Replace the tier, and that of names that no rule is for, where other rules hold than for plain HTTP."""
    other = f"map_str({map_file('tls-tiers')})"
    return f"""\
  http-request set-var(txn.tier) var(txn.tier),{other}
  http-request set-var(txn.any) str(*)
  http-request set-var(txn.any) str(*),{other}
"""


def request_lines(map_file: Callable[[str], str], any_tier: str = "*") -> str:
    """Refuse requests for a name that is not answered over TLS here; the tier must be known.

    ``any_tier`` are the tiers of names that no rule is for.
    """
    refuse = f"http-request return {MISDIRECTED_RESPONSE.arguments}"
    return f"""\
  acl secured var(txn.tier),map_str({map_file("secured")}) -m found
  acl any_host var(txn.tier) -m str {any_tier}
  acl same_name var(txn.sni),strcmp(txn.host) eq 0
  {refuse} if !secured !any_host
  http-request set-var(txn.sni) ssl_fc_sni,lower,rtrim(.) if any_host
  {refuse} if any_host {{ var(txn.sni) -m found }} !same_name
"""


def redirect_lines(map_file: Callable[[str], str], port: int, *, acme: bool = True, other_ports: bool = False) -> str:
    """Redirect plain requests to HTTPS on ``port``, but not those that a trusted proxy received over HTTPS.

    ``acme``: authorities may fetch paths here. With ``other_ports``, a map has the ports of some sites; ``port`` 0 is
    none.
    """
    site = f"var(txn.tier),map_str({map_file('to-https')})"
    other = f"var(txn.tier),map_str({map_file('https-ports')})"
    condition = f"{{ {site} -m found }}{' !acme' if acme else ''} !{{ req.fhdr(x-forwarded-proto) -i https }}"
    ports = [("" if port == 443 else f":{port}", "")] if port else []
    if other_ports:
        ports.insert(0, (f"%[{other}]", f" {{ {other} -m found }}"))
    lines = [f"  acl acme var(txn.path) -m beg {ACME}\n"] if acme else []
    for text, found in ports:
        location = f"https://%[var(txn.host)]{text}%[pathq]"
        arguments = f"status {REDIRECT_CODE} hdr Location {location} hdr {ORIGIN} {TLS_REDIRECT}"
        lines.append(f"  http-request return {arguments} if {condition}{found}\n")
    return "".join(lines)
