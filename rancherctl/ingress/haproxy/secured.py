"""Configuration lines about TLS: listeners, misdirected requests, redirects from HTTP. Pure.

A client may send requests for several names over one connection if its certificate covers them (RFC 9110 7.4). They are
answered wherever the rules are known. 421 tells the client to open another connection; it is sent only if the name is
unknown here or its certificate is not here, because some browsers never repeat a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from rancherctl.ingress.haproxy import client_certificates
from rancherctl.ingress.haproxy.responses import MISDIRECTED_RESPONSE, ORIGIN, TLS_REDIRECT
from rancherctl.ingress.matcher import ACME
from rancherctl.ingress.options import TlsOptions

CERTIFIED: Final = "own"
"""The value in the map ``secured`` of a tier whose certificates are valid and its own."""
TO_HTTPS: Final = "to-https"
"""The map of redirects, and the back end that answers with them."""
_STATUSES: Final = (301, 302, 307)
"""All others get 308, which keeps method and body; browsers remember it."""
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


class HttpsPorts(NamedTuple):
    """Ports that plain requests are redirected to: the ``default`` one (0 = none), and ``others`` if a map has some."""

    default: int
    others: bool


def redirect_lines(map_file: Callable[[str], str], ports: HttpsPorts, *, acme: bool = True) -> str:
    """Redirect plain requests to HTTPS, but not those that a trusted proxy received over HTTPS.

    ``acme``: authorities may fetch paths here. One lookup is what all other requests pay for it. A request for any host
    may have no name.
    """
    tier = f"{{ var(txn.tier),map_str({map_file(TO_HTTPS)}) -m found }}"
    port = "" if ports.default else f" {{ var(txn.tier),map_str({map_file('https-ports')}) -m found }}"
    if not (ports.default or ports.others):
        return ""
    plain = "!{ req.fhdr(x-forwarded-proto) -i https } { var(txn.host) -m len 1: }"
    first = f"  acl acme var(txn.path) -m beg {ACME}\n" if acme else ""
    condition = f"{tier}{' !acme' if acme else ''} {plain}{port}"
    return f"{first}  http-request set-var(txn.pool) str({TO_HTTPS}) if {condition}\n"


def redirect_backend(base: str, map_file: Callable[[str], str], ports: HttpsPorts) -> str:
    """The back end that redirects requests to HTTPS, each with the status and to the port of its tier."""
    other = f"var(txn.tier),map_str({map_file('https-ports')})"
    status = f"var(txn.tier),map_str({map_file(TO_HTTPS)})"
    places = [(f"%[{other}]", f" {{ {other} -m found }}")] if ports.others else []
    places += [("" if ports.default == 443 else f":{ports.default}", "")] if ports.default else []
    lines = [f"\nbackend {TO_HTTPS} from {base}\n"]
    for port, found in places:
        words = f"hdr Location https://%[var(txn.host)]{port}%[pathq] hdr {ORIGIN} {TLS_REDIRECT}"
        answer = "  http-request return status"
        lines += [f"{answer} {each} {words} if {{ {status} -m str {each} }}{found}\n" for each in _STATUSES]
        lines.append(f"{answer} 308 {words}{' if' + found if found else ''}\n")
    return "".join(lines)


def hsts_lines(directives: tuple[str, ...], map_file: Callable[[str], str]) -> list[str]:
    """The header Strict-Transport-Security of answers over TLS, also of those that the load balancer makes itself.

    Only if the connection was opened for this very name, and its certificate is its own and valid: browsers that get
    the header refuse the site later, if the certificate is another one.
    """
    if not directives:
        return []
    own = f"{{ var(txn.tier),map_str({map_file('secured')}) -m str {CERTIFIED} }}"
    header = f'set-header Strict-Transport-Security "{"; ".join(directives)}"'
    return [
        "http-request set-var(txn.sni) ssl_fc_sni,lower,rtrim(.)",
        f"http-after-response {header} if {{ ssl_fc }} {own} {{ var(txn.sni),strcmp(txn.host) eq 0 }}",
    ]
