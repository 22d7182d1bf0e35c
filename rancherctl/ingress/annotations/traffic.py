"""Annotations about how requests are forwarded. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import option

READ_TIMEOUT: Final = f"{INGRESS_PREFIX}timeout-read"
DURATION: Final = "1ms to 24h"
TRAFFIC: Final = (
    option(
        "read_timeout",
        "timeout-read",
        values.duration,
        f"{DURATION}; default 5m",
        "how long a server may send nothing during a request: raise it for long polls and silent streams",
        title="ReadTimeout",
        replaces=("proxy-read-timeout", "timeout-server"),
    ),
    option(
        "tunnel_timeout",
        "timeout-tunnel",
        values.duration,
        f"{DURATION}; default 1h",
        "how long an upgraded connection (WebSocket) may be idle",
        replaces=("timeout-tunnel",),
    ),
    option(
        "body_size",
        "body-size",
        values.size,
        "bytes, or with k, m or g; default 0 (no limit)",
        "requests with a larger Content-Length get 413; chunked bodies are not measured",
        replaces=("proxy-body-size", "client-max-body-size"),
    ),
    option(
        "access_log",
        "access-log",
        values.one_of("true", "false", "errors"),
        "true, false, errors; default what ingress.accessLog of the environment says",
        "which requests are logged on the load-balancer hosts, as JSON: all, none, or those that were refused, "
        "interrupted or answered with 500 and above",
        replaces=("enable-access-log",),
    ),
    option(
        "protocol",
        "backend-protocol",
        values.one_of("http", "h2c", "https", "grpc", "grpcs"),
        "http, h2c, https, grpc, grpcs",
        "protocol of the services; without it, appProtocol of the Service port decides. "
        "Certificates of services are not verified",
        invalid="using what the Service port says",
        replaces=("backend-protocol", "secure-backends", "server-ssl"),
    ),
)
