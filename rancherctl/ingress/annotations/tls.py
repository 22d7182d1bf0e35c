"""Annotations about HTTPS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import option, redirect_option, tls_option
from rancherctl.text import and_more

TLS: Final = (
    redirect_option(
        "ssl_redirect",
        "ssl-redirect",
        values.one_of("auto", "true", "false"),
        "auto, true, false; default what ingress.tls.redirect of the environment says",
        "redirect HTTP requests to HTTPS: auto for hosts with a certificate, true also for hosts with the default "
        "certificate; never for ACME challenges, nor before the certificate of a host is there",
        replaces=("ssl-redirect", "force-ssl-redirect", "redirect-to-https"),
    ),
    redirect_option(
        "ssl_redirect_code",
        "ssl-redirect-code",
        lambda text: int(values.one_of("301", "302", "307", "308")(text)),
        "301, 302, 307, 308; default 308",
        "status of the redirect to HTTPS",
        replaces=("ssl-redirect-code",),
    ),
    option(
        "hsts",
        "hsts",
        values.hsts,
        "max-age=SECONDS, and optionally ; includeSubDomains and ; preload",
        "the header Strict-Transport-Security of answers over TLS, while the certificate of the host is valid and the "
        "connection was opened for its name; it replaces that of the service",
        invalid="no header is set",
        replaces=("hsts", "hsts-max-age", "hsts-include-subdomains", "hsts-preload"),
    ),
    tls_option(
        "http2",
        "http2",
        values.boolean,
        "true, false; default true",
        "whether clients may use HTTP/2 over TLS; false leaves them HTTP/1.1",
        replaces=("tls-alpn",),
    ),
    tls_option(
        "tls_min_version",
        "tls-min-version",
        values.one_of("1.2", "1.3"),
        "1.2, 1.3; default 1.2",
        "oldest version of TLS; handshakes with an older one are refused",
        replaces=("ssl-options-host",),
    ),
)
_NAMES: Final = {row.field: row.name.removeprefix(INGRESS_PREFIX) for row in TLS}


def names_of(changed: Mapping[str, Any]) -> str:
    """The annotations of these fields, for messages."""
    return and_more([_NAMES[field] for field in changed])
