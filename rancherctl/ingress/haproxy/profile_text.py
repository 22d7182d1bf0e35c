"""Options of routes that are text of HAProxy's configuration: the lines of a profile, and words of its servers. Pure.

All values were validated by annotations/values.py: no blanks, quotes, control characters or percent signs.
"""

from __future__ import annotations

from typing import Final

from rancherctl.ingress.haproxy.client_certificates import header_lines
from rancherctl.ingress.haproxy.responses import DENIED, ORIGIN
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions

_WORDS_PER_LINE: Final = 40
"""HAProxy allows 64."""


EXAMPLES: Final = (
    NO_OPTIONS,
    RouteOptions(protocol="h2c"),
    RouteOptions(protocol="https", balance="source"),
    RouteOptions(
        protocol="grpcs",
        client_headers=True,
        allow_source=("10.0.0.0/8",),
        deny_source=("10.0.0.1/32",),
        cors_origins=("https://a.com", "https://*.b.com"),
        cors_expose=("X-A",),
        cors_credentials=True,
        balance="hdr:x",
        sticky=True,
        sticky_path="/x",
        sticky_domain="a.com",
        sticky_samesite="Lax",
        sticky_secure=True,
        sticky_max_age=1,
        check_path="/x",
        check_interval=1000,
        hsts=("max-age=1",),
    ),
)
"""Options that together give every kind of line: a release that writes other lines for one writes another text."""


def lines(options: RouteOptions) -> list[str]:
    """All lines of pools that forward requests, after those that decide who may send requests."""
    headers = header_lines() if options.client_headers else []
    return [*_cors(options), *headers, *_balance(options), *_sticky(options), *_check(options)]


def server_words(options: RouteOptions, seconds: int) -> str:
    """Words of every server: checks every ``seconds``, and how it is spoken to."""
    interval = f"{options.check_interval}ms" if options.check_interval else f"{seconds}s"
    # Passive checks act on the second failed connect.
    checks = f"check inter {interval} fastinter 500ms downinter 1s rise 1 fall 2"
    protocol = {
        "h2c": " proto h2",
        "grpc": " proto h2",
        "https": " ssl verify none",
        "grpcs": " ssl verify none alpn h2",
    }.get(options.protocol, "")
    return f"{checks} observe layer4 error-limit 2 on-error mark-down{protocol}"


def source_lines(options: RouteOptions) -> list[str]:
    """Access lists of clients."""
    lists = {"allowed": options.allow_source, "denied": options.deny_source}
    out = [line for name, networks in lists.items() for line in _acl(f"{name} src", networks)]
    if options.allow_source:
        out.append(f"http-request deny {DENIED.arguments} if !allowed")
    if options.deny_source:
        out.append(f"http-request deny {DENIED.arguments} if denied")
    return out


def _acl(start: str, words: tuple[str, ...]) -> list[str]:
    """An ACL of all ``words``, in lines of the length that HAProxy allows; none without words."""
    parts = [words[first : first + _WORDS_PER_LINE] for first in range(0, len(words), _WORDS_PER_LINE)]
    return [f"acl {start} {' '.join(part)}" for part in parts]


def _cors(options: RouteOptions) -> list[str]:
    if not options.cors_origins:
        return []
    everyone = "*" in options.cors_origins
    wild = tuple(_pattern(origin) for origin in options.cors_origins if "*." in origin)
    exact = tuple(origin for origin in options.cors_origins if "*" not in origin)
    origin = "*" if everyone else "%[var(txn.origin)]"
    out = ["http-request set-var(txn.origin) req.hdr(origin),lower"]
    out += ["acl cors var(txn.origin) -m found"] if everyone else []
    out += [] if everyone else [*_acl("cors var(txn.origin) -m str", exact), *_acl("cors var(txn.origin) -m reg", wild)]
    asked = "{ method OPTIONS } { req.hdr(access-control-request-method) -m found }"
    allowed = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": ", ".join(options.cors_methods),
        "Access-Control-Allow-Headers": ", ".join(options.cors_headers)
        or "%[req.fhdr(access-control-request-headers)]",
        "Access-Control-Max-Age": str(options.cors_max_age),
    }
    if options.cors_credentials:
        allowed["Access-Control-Allow-Credentials"] = "true"
    vary = {} if everyone else {"Vary": "Origin"}
    for headers, condition in ((allowed, " cors"), ({}, "")):
        words = "".join(f' hdr {name} "{value}"' for name, value in ({ORIGIN: "preflight"} | headers | vary).items())
        out.append(f"http-request return status 204{words} if {asked}{condition}")
    out += [f"http-response del-header Access-Control-{name}" for name in ("Allow-Origin", "Allow-Credentials")]
    out += ["http-response del-header Access-Control-Expose-Headers"]
    out.append(f"http-response set-header Access-Control-Allow-Origin {origin} if cors")
    if options.cors_credentials:
        out.append("http-response set-header Access-Control-Allow-Credentials true if cors")
    if options.cors_expose:
        exposed = ", ".join(options.cors_expose)
        out.append(f'http-response set-header Access-Control-Expose-Headers "{exposed}" if cors')
    return out if everyone else [*out, "http-response add-header Vary Origin"]


def _pattern(origin: str) -> str:
    """A regular expression for an origin whose host starts with ``*.``, one label."""
    before, _, after = origin.partition("*.")
    # A dot in brackets: backslashes have a meaning of their own in HAProxy's configuration.
    return f"^{before}[a-z0-9-]+[.]{after.replace('.', '[.]')}$"


def _balance(options: RouteOptions) -> list[str]:
    if not options.balance:
        return []
    kind, _, header = options.balance.partition(":")
    method = f"hdr({header})" if header else kind
    return [f"balance {method}", *(["hash-type consistent"] if kind != "leastconn" else [])]


def _sticky(options: RouteOptions) -> list[str]:
    if not options.sticky:
        return []
    attributes = {
        # HAProxy writes Path=/ before; browsers take the last one.
        "Path": options.sticky_path if options.sticky_path != "/" else "",
        "SameSite": options.sticky_samesite,
        "Max-Age": str(options.sticky_max_age or ""),
    }
    words = [f"cookie {options.sticky_name} insert indirect nocache dynamic httponly"]
    words += [f"domain {options.sticky_domain}"] if options.sticky_domain else []
    words += ["secure"] if options.sticky_secure else []
    words += [f"attr {name}={value}" for name, value in attributes.items() if value]
    return [" ".join(words), f"dynamic-cookie-key {options.sticky_key}"]


def _check(options: RouteOptions) -> list[str]:
    if not options.check_path:
        return []
    return [
        "option httpchk",
        f"http-check send meth GET uri {options.check_path} ver HTTP/1.1 hdr Host localhost hdr User-Agent rancherctl",
        f"http-check expect status {','.join(options.check_status)}",
    ]
