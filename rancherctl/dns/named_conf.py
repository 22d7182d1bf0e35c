"""named.conf of one host, built from validated words. Pure. Source: BIND 9.18 and 9.20 reference manuals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rancherctl.dns import names, upstreams
from rancherctl.dns.client import KEY_NAME
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.zonefile import file_name
from rancherctl.errors import InvalidInputError
from rancherctl.net import parse_network

NOWHERE = "127.0.0.1 port 9"
"""A forwarder that refuses at once: without upstreams, external names fail quickly instead of going to the root."""

MAX_CACHE_TTL = 3600
"""Seconds for which an answer of an upstream is cached at most, whatever its TTL says."""
STARTS = "starts.log"
"""Log of the running process since its start, in the data folder; removed before every start."""
ALL_LOADED = "all zones loaded"
"""The server logs this when it has tried to load all zones: a zone that is missing then stays missing."""

# servfail-ttl: with 1 (the default) a name that was queried while zones were loading fails for a second after that.
# no-case-compress: the answer repeats the name in the case of the question; resolvers that randomise case compare both.
_OPTIONS = f"""\
    dnssec-validation no;
    empty-zones-enable no;
    version none;
    hostname none;
    server-id none;
    notify no;
    recursion yes;
    minimal-responses no-auth;
    rrset-order {{ order random; }};
    prefetch 2 9;
    stale-answer-enable yes;
    stale-cache-enable yes;
    max-stale-ttl 86400;
    stale-answer-ttl 5;
    servfail-ttl 0;
    no-case-compress {{ any; }};
    max-cache-size 128m;
    max-cache-ttl {MAX_CACHE_TTL};
    edns-udp-size 1232;
    max-udp-size 1232;
    recursive-clients 2000;
    tcp-clients 1000;
    tcp-initial-timeout 50;
    tcp-idle-timeout 100;
    interface-interval 1m;
    automatic-interface-scan yes;
    pid-file none;
    session-keyfile none;
    max-records-per-type 0;
    max-types-per-name 0;
"""


def check(config: DnsHostConfig) -> None:
    """Raise InvalidInputError with all values that are not valid in the configuration."""
    forwarded = (*config.upstreams, *(text for part in config.stub_domains.values() for text in part))
    parsed = tuple(map(upstreams.server, forwarded))
    networks = (*config.pod_cidrs, *config.service_cidrs)
    problems = [
        f"dns: {name!r} is not a valid domain name"
        for name, valid in (
            (config.domain, all(map(names.is_label, config.domain.split(".")))),
            *((name, names.target(name) == f"{name}.") for name in config.stub_domains),
        )
        if not valid
    ]
    problems += [f"dns: {text!r} is not a valid IP address" for text in config.addresses if not names.address(text)[0]]
    problems += [
        f"dns: {text!r} is not a valid server (IP[:PORT])"
        for text, place in zip(forwarded, parsed, strict=True)
        if place is None
    ]
    if not 1 <= config.max_negative_ttl <= MAX_CACHE_TTL:
        problems.append(f"dns: {config.max_negative_ttl!r} is not a valid TTL (1 to {MAX_CACHE_TTL} seconds)")
    problems += [
        f"dns: upstream {text} is this server itself: queries would loop"
        for text, place in zip(forwarded, parsed, strict=True)
        if place in {(address, upstreams.PORT) for address in config.addresses}
    ]
    problems += [f"dns: {text!r} is not a valid network" for text in networks if parse_network(text) is None]
    if problems:
        raise InvalidInputError("DNS settings", problems)


def zones(config: DnsHostConfig) -> tuple[str, ...]:
    """Every zone of this host: the cluster's domain, the reverse zones of Services and pods, the reverse policy."""
    return names.all_zones(config.domain, (*config.service_cidrs, *config.pod_cidrs))


# The policy answers single reverse names; all others of the same network go to the upstreams (docs/adr/0033). It does
# not wait for an upstream. The server reads the whole policy after an update, so it does that at most once a second.
_POLICY = f"""\
    response-policy {{
        zone "{names.REVERSE_POLICY.removesuffix(".")}" policy given add-soa no log no min-update-interval 1;
    }} break-dnssec yes qname-wait-recurse no nsip-enable no nsdname-enable no;
"""


def _block(values: Iterable[str]) -> str:
    return "{ " + "".join(f"{value}; " for value in values) + "}"


def bind_server(text: str) -> str:
    """An upstream (``IP[:PORT]``) as BIND writes it: ``10.0.0.53 port 5353``. InvalidInputError if it is not valid."""
    place = upstreams.server(text)
    if place is None:
        raise InvalidInputError("DNS settings", [f"dns: {text!r} is not a valid server (IP[:PORT])"])
    return place[0] if place[1] == upstreams.PORT else f"{place[0]} port {place[1]}"


def stale_after(version: str, *, silent: bool) -> str:
    """``stale-answer-client-timeout``: milliseconds after which a client gets expired data while upstreams are asked.

    BIND 9.18 can wait as RFC 8767 proposes; 0 ends it in a response policy (docs/adr/0033). Later versions know 0 and
    off only: 0 is right while all upstreams are ``silent``. With off, expired data is served once the query has failed,
    after 10 s if no upstream answers.
    """
    found = re.match(r"9\.(\d+)\.", version)
    minor = int(found[1]) if found else 0
    return "1800" if minor == 18 else "0" if minor > 18 and silent else "off"


def forwarders(servers: Sequence[str], stale: str = "off") -> str:
    """The included file with the upstreams to forward to (``IP[:PORT]``), and ``stale_after``."""
    listed = _block([bind_server(text) for text in servers] or (NOWHERE,))
    return f"forward only;\nforwarders {listed};\nstale-answer-client-timeout {stale};\n"


def stub_zones(servers: Mapping[str, Sequence[str]]) -> str:
    """The included file with the stub domains and the servers to forward to (``IP[:PORT]``)."""
    return "".join(
        f'zone "{name}" {{ type forward; forward only; forwarders {_block(map(bind_server, found))}; }};\n'
        for name, found in sorted(servers.items())
    )


def _zone(zone: str) -> str:
    return f"""\
zone "{zone.removesuffix(".")}" {{
    type primary;
    file "{file_name(zone)}";
    update-policy {{ grant {KEY_NAME} zonesub ANY; }};
    allow-transfer {{ key {KEY_NAME}; }};
    check-names ignore;
    check-integrity no;
    max-journal-size 16m;
    max-records-per-type 0;
    max-types-per-name 0;
}};
"""


def named_conf(config: DnsHostConfig) -> str:
    """The whole configuration; upstreams and stub domains, which the agent changes, are in included files."""
    check(config)
    here = [a for a in config.addresses if ":" not in a]
    here6 = [a for a in config.addresses if ":" in a]
    clients = _block(("127.0.0.0/8", "::1", "localhost", *config.pod_cidrs))
    stubs = f'include "{config.stubs_file}";\n' if config.stub_domains else ""
    return f"""\
# Written by rancherctl; changes are overwritten.
include "{config.key_file}";
options {{
    directory "{config.data}";
    listen-on port {config.port} {_block(here)};
    listen-on-v6 port {config.port} {_block(here6 or ("none",))};
    listen-on port {config.control_port} {{ 127.0.0.1; }};
    allow-query {clients};
    allow-query-cache {clients};
    allow-recursion {clients};
    allow-transfer {{ none; }};
    include "{config.forwarders_file}";
    max-ncache-ttl {config.max_negative_ttl};
{_OPTIONS}{_POLICY}}};
controls {{ }};
statistics-channels {{ inet 127.0.0.1 port {config.stats_port} allow {{ 127.0.0.1; }}; }};
logging {{
    channel journal {{ stderr; severity info; print-category yes; print-severity yes; }};
    channel starts {{ file "{STARTS}" size 1m; severity notice; }};
    category default {{ journal; }};
    category general {{ journal; starts; }};
    category lame-servers {{ null; }};
    category resolver {{ null; }};
    category query-errors {{ null; }};
    category client {{ null; }};
    category update-security {{ null; }};
    category update {{ null; }};
    category xfer-out {{ null; }};
    category serve-stale {{ null; }};
}};
{"".join(_zone(zone) for zone in zones(config))}{stubs}"""
