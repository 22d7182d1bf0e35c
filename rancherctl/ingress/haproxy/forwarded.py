"""Configuration lines about clients behind proxies: PROXY protocol, X-Forwarded headers, the real client. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

HOPS: Final = 4
"""Trusted proxies in a row that are followed back to the client."""


def connection_lines(map_file: Callable[[str], str]) -> str:
    """Sources in the map ``speaking`` must send a PROXY header; without one, their connection is closed."""
    return f"  tcp-request connection expect-proxy layer4 if {{ src,map_ip({map_file('speaking')}) -m found }}\n"


def request_lines(protocol: str, map_file: Callable[[str], str] | None) -> str:
    """X-Forwarded headers of proxies in the map ``trusted`` are kept, those of all others are replaced.

    The client is the last address of X-Forwarded-For that is not a trusted proxy. Without maps no proxy is trusted, and
    no request pays for rules about them.
    """
    own = {"For": "%[src]", "Proto": protocol, "Port": "%[dst_port]", "Host": "%[req.fhdr(host)]"}
    if map_file is None:
        return "".join(f"  http-request set-header X-Forwarded-{name} {value}\n" for name, value in own.items())
    trusted = f"map_ip({map_file('trusted')})"
    out = f"""\
  http-request set-var(txn.peer) src
  http-request set-var(txn.trusted) src,{trusted}
  acl trusted var(txn.trusted) -m found
  http-request set-var(txn.hop1) req.hdr_ip(x-forwarded-for,-1) if trusted
"""
    # A hop counts only if the one before it is a trusted proxy: a client may write anything into the header.
    for hop in range(2, HOPS + 1):
        before = f"var(txn.hop{hop - 1})"
        out += (
            f"  http-request set-var(txn.hop{hop}) req.hdr_ip(x-forwarded-for,-{hop}) "
            f"if trusted {{ {before},{trusted} -m found }}\n"
        )
    for hop in range(1, HOPS + 1):
        out += f"  http-request set-src var(txn.hop{hop}) if trusted {{ var(txn.hop{hop}) -m found }}\n"
    peer = "%[var(txn.peer)]"
    out += f"""\
  http-request add-header X-Forwarded-For {peer} if trusted {{ req.fhdr_cnt(x-forwarded-for) gt 1 }}
  http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], {peer}" \
if trusted {{ req.fhdr_cnt(x-forwarded-for) eq 1 }}
  http-request set-header X-Forwarded-For {peer} if !trusted
  http-request set-header X-Forwarded-For {peer} if !{{ req.fhdr(x-forwarded-for) -m found }}
"""
    for name, value in list(own.items())[1:]:
        header = f"X-Forwarded-{name}"
        out += f"  http-request set-header {header} {value} if !trusted || !{{ req.fhdr({header}) -m found }}\n"
    return out
