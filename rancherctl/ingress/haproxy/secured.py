"""Configuration lines about TLS: listeners, misdirected requests, redirects from HTTP. Pure.

A client may send requests for several names over one connection if its certificate covers them (RFC 9110 7.4). They are
answered wherever the rules are known. 421 tells the client to open another connection; it is sent only if the name is
unknown here or its certificate is not here, because some browsers never repeat a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rancherctl.ingress.haproxy.responses import MISDIRECTED_RESPONSE, ORIGIN, TLS_REDIRECT
from rancherctl.ingress.matcher import ACME
from rancherctl.ingress.options import TlsOptions

REDIRECT_CODE: Final = 308
"""Keeps method and body; browsers remember it."""


def bind_words(crt_list: str, *, strict: bool) -> str:
    """The rest of a ``bind`` line. ``strict`` refuses clients that ask for no name or for one without certificate."""
    return f" ssl crt-list {crt_list}{' strict-sni' if strict else ''} alpn h2,http/1.1"


def name_words(options: TlsOptions) -> tuple[str, ...]:
    """What a line of the crt-list says about its names, beside their certificate."""
    alpn = () if options.http2 else ("alpn", "http/1.1")
    version = () if options.tls_min_version == "1.2" else ("ssl-min-ver", f"TLSv{options.tls_min_version}")
    return (*alpn, *version)


def request_lines(map_file: Callable[[str], str]) -> str:
    """Refuse requests for a name that is not answered over TLS here; the tier must be known."""
    refuse = f"http-request return {MISDIRECTED_RESPONSE.arguments}"
    return f"""\
  http-request set-var(txn.sni) ssl_fc_sni,lower,rtrim(.)
  acl secured var(txn.tier),map_str({map_file("secured")}) -m found
  acl any_host var(txn.tier) -m str *
  acl same_name var(txn.sni),strcmp(txn.host) eq 0
  {refuse} if !secured !any_host
  {refuse} if any_host {{ var(txn.sni) -m found }} !same_name
"""


def redirect_lines(map_file: Callable[[str], str], port: int) -> str:
    """Redirect plain requests to HTTPS on ``port``, but not those that a trusted proxy received over HTTPS."""
    site = f"var(txn.tier),map_str({map_file('to-https')})"
    location = f"https://%[var(txn.host)]{'' if port == 443 else f':{port}'}%[pathq]"
    return f"""\
  acl acme var(txn.path) -m beg {ACME}
  http-request return status {REDIRECT_CODE} hdr Location {location} hdr {ORIGIN} {TLS_REDIRECT} \
if {{ {site} -m found }} !acme !{{ req.fhdr(x-forwarded-proto) -i https }}
"""
