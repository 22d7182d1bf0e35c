"""Annotations about names, redirects and who may send requests. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import option, site_option

ROUTING: Final = (
    option(
        "allow_source",
        "allow-source",
        values.networks,
        f"networks or addresses (at most {values.MAX_NETWORKS}), separated by commas",
        "only these clients are allowed, all others get status 403; trusted proxies name the client of their requests",
        restricts=True,
        replaces=("whitelist-source-range", "allowlist-source-range", "allow-list", "inbound-cidrs"),
    ),
    option(
        "deny_source",
        "deny-source",
        values.networks,
        f"networks or addresses (at most {values.MAX_NETWORKS}), separated by commas",
        "these clients get status 403, even if allow-source lists them",
        restricts=True,
        replaces=("denylist-source-range", "deny-list", "blacklist-source-range"),
    ),
    option(
        "redirect",
        "redirect",
        values.url,
        "URL (http or https)",
        "all requests are redirected to exactly this URL",
        invalid="nothing is redirected",
        replaces=("permanent-redirect", "temporal-redirect", "request-redirect"),
    ),
    option(
        "redirect_code",
        "redirect-code",
        lambda text: int(values.one_of("301", "302", "303", "307", "308")(text)),
        "301, 302, 303, 307, 308; default 302",
        "status of the redirect",
        needs="redirect",
        replaces=("permanent-redirect-code", "temporal-redirect-code", "request-redirect-code"),
    ),
    site_option(
        "app_root",
        "app-root",
        values.path_to,
        "path other than /",
        "requests for / are redirected to this path, with status 302",
        invalid="nothing is redirected",
        replaces=("app-root",),
    ),
    site_option(
        "www",
        "www-redirect",
        values.one_of("to-www", "from-www"),
        "to-www, from-www",
        "to-www: for a host www.NAME, requests for NAME are redirected to it; from-www: for a host NAME, requests for "
        "www.NAME are redirected to it; with status 308, and the same path",
        invalid="nothing is redirected",
        replaces=("from-to-www-redirect",),
    ),
    site_option(
        "aliases",
        "aliases",
        values.names,
        f"host names (at most {values.MAX_NAMES}), separated by commas",
        "further names with the rules of all hosts of the Ingress",
        invalid="no aliases are served",
        replaces=("server-alias",),
    ),
)
