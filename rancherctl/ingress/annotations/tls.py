"""Annotations about HTTPS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import tls_option
from rancherctl.text import and_more

TLS: Final = (
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
