"""Annotations about the choice of servers: method, stickiness, checks. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import Annotation, option

STICKINESS: Final = "io.rancher.stickiness.policy"
SERVERS: Final = (
    option(
        "balance",
        "balance",
        values.balance_method,
        "roundrobin, leastconn, source, uri, hdr:NAME; default roundrobin",
        "how the server of a request is chosen; source, uri and hdr:NAME give the same server to the same client, "
        "URI or header as long as the servers stay the same",
        replaces=("load-balance", "upstream-hash-by", "balance-algorithm"),
    ),
    option(
        "target",
        "target",
        values.one_of("only-local", "prefer-local"),
        "only-local, prefer-local",
        "only-local: only endpoints on the load balancer's own host; prefer-local: others only if it has none",
        invalid="using all endpoints",
        aliases=("io.rancher.lb_service.target",),
    ),
    option(
        "sticky",
        "sticky",
        lambda text: values.one_of("cookie", "false")(text) == "cookie",
        "cookie, false; default false",
        "all requests of a client go to the same pod as long as it is there, through whichever address",
        invalid="not sticky",
        replaces=("affinity", "sticky-cookie-services", "session-affinity"),
    ),
    option(
        "sticky_name",
        "sticky-name",
        values.cookie_name,
        "letters, digits, - and _; default rancherctl",
        "name of the cookie",
        needs="sticky",
        replaces=("session-cookie-name",),
    ),
    option(
        "sticky_path",
        "sticky-path",
        values.path,
        "path; default /",
        "path of the cookie",
        needs="sticky",
        replaces=("session-cookie-path",),
    ),
    option(
        "sticky_domain",
        "sticky-domain",
        values.domain,
        "domain; default the host of the request",
        "domain of the cookie",
        needs="sticky",
        replaces=("session-cookie-domain",),
    ),
    option(
        "sticky_samesite",
        "sticky-samesite",
        lambda text: values.one_of("lax", "strict", "none")(text).capitalize(),
        "Lax, Strict, None; without it browsers decide",
        "SameSite of the cookie; None needs sticky-secure",
        needs="sticky",
        replaces=("session-cookie-samesite",),
    ),
    option(
        "sticky_secure",
        "sticky-secure",
        values.boolean,
        "true, false; default false",
        "whether browsers send the cookie over TLS only",
        needs="sticky",
        replaces=("session-cookie-secure",),
    ),
    option(
        "sticky_max_age",
        "sticky-max-age",
        values.seconds,
        "1s to 24h; without it until the browser is closed",
        "how long browsers keep the cookie, counted from the answer that sets it",
        needs="sticky",
        replaces=("session-cookie-max-age", "session-cookie-expires"),
    ),
    Annotation(
        "sticky_policy",
        "StickinessPolicy",
        STICKINESS,
        values.sticky_policy,
        (),
        lambda _: ((), "not sticky"),
        "lines KEY: VALUE with the keys name, cookie, domain (Rancher 1.6)",
        "the same as sticky: cookie with sticky-name and sticky-domain",
    ),
    option(
        "check_path",
        "check-path",
        values.path,
        "path",
        "servers are checked by GET requests for this path, with the Host header localhost, instead of connects; "
        "a server that fails twice in a row gets no requests until a check succeeds",
        invalid="checking by connects",
        aliases=("io.rancher.kubernetes.livenessprobes",),
        replaces=("healthcheck-path", "health-check-uri", "check-http"),
    ),
    option(
        "check_status",
        "check-status",
        values.statuses,
        "statuses and ranges of them, separated by commas; default 200-399",
        "answers to checks that mean a healthy server",
        needs="check_path",
        replaces=("success-codes",),
    ),
    option(
        "check_interval",
        "check-interval",
        values.duration,
        "1ms to 24h; default 2s, more on hosts with many servers",
        "pause between two checks of a server",
        replaces=("healthcheck-interval-seconds", "health-check-interval", "check-interval"),
    ),
)
