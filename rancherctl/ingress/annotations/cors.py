"""Annotations about cross-origin requests of browsers (CORS). Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import option

CORS: Final = (
    option(
        "cors_origins",
        "cors-origins",
        values.origins,
        f"origins (at most {values.MAX_NAMES}) such as https://app.example.org or https://*.example.org, or *",
        "pages of these origins may read answers: the load balancer answers preflight requests with 204, and sets the "
        "CORS headers of all answers instead of the service",
        invalid="no CORS headers are set",
        replaces=("cors-allow-origin", "enable-cors"),
    ),
    option(
        "cors_methods",
        "cors-methods",
        values.methods,
        "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; default all",
        "methods that these pages may use",
        needs="cors_origins",
        replaces=("cors-allow-methods",),
    ),
    option(
        "cors_headers",
        "cors-headers",
        values.headers,
        "names of headers; without it all that a page asks for",
        "request headers that these pages may set",
        needs="cors_origins",
        replaces=("cors-allow-headers",),
    ),
    option(
        "cors_expose",
        "cors-expose",
        values.headers,
        "names of headers",
        "response headers that these pages may read",
        needs="cors_origins",
        replaces=("cors-expose-headers",),
    ),
    option(
        "cors_credentials",
        "cors-credentials",
        values.boolean,
        "true, false; default false",
        "whether these pages may send cookies; not with the origin *",
        needs="cors_origins",
        replaces=("cors-allow-credentials",),
    ),
    option(
        "cors_max_age",
        "cors-max-age",
        values.seconds,
        "1s to 24h; default 10m",
        "how long browsers keep the answer to a preflight request",
        needs="cors_origins",
        replaces=("cors-max-age",),
    ),
)
