"""The API balancer: an HAProxy of its own on 127.0.0.1:7443 in front of the API servers. Pure."""

from __future__ import annotations

from rancherctl.environments.components import places, units
from rancherctl.environments.model import LOCAL_API, LOCAL_API_PORT, Environment
from rancherctl.hosts.model import File, Package, Resource

CONFIG = f"{places.ETC}/api-balancer.cfg"
READY_URL = f"{LOCAL_API}/readyz"


def config(environment: Environment) -> str:
    """haproxy.cfg: TCP pass-through with an HTTPS check of /readyz; sessions of a dead server are cut.

    Idle time-outs are long because watches are silent for minutes and end by themselves within 10. Each check has one
    second; a server is marked down after two failures. The only server of an environment gets five: no other can take
    over, and cutting the watches of a server that is merely busy makes it list everything again for all of them.
    """
    hosts = environment.with_role("controlplane")
    servers = "\n".join(f"  server {host.name} {host.address}:{environment.api.port}" for host in hosts)
    failures = 2 if len(hosts) > 1 else 5
    check = (
        f"check check-ssl ca-file {places.CA} verify required inter 1s fastinter 500ms"
        f" fall {failures} rise 1 on-marked-down shutdown-sessions"
    )
    return f"""global
  maxconn 4096
  stats socket /run/rancherctl/api-balancer/stats.sock mode 600 level operator
defaults
  mode tcp
  timeout connect 2s
  timeout client 15m
  timeout server 15m
  timeout check 2s
listen api
  bind 127.0.0.1:{LOCAL_API_PORT}
  balance leastconn
  option clitcpka
  option srvtcpka
  option redispatch 1
  option httpchk GET /readyz
  default-server {check}
{servers}
"""


def resources(environment: Environment) -> tuple[Resource, ...]:
    """Everything of the API balancer on a host."""
    service = units.ServiceUnit(
        "api-balancer",
        "API balancer of a rancherctl environment",
        ("/usr/sbin/haproxy", "-Ws", "-f", CONFIG),
        user="haproxy",
        type="notify",
        after=("network.target",),
        wants=("network.target",),
        lines=(
            "RuntimeDirectory=rancherctl/api-balancer",
            "RuntimeDirectoryMode=0755",
            "ExecReload=/bin/kill -USR2 $MAINPID",
            "TimeoutStartSec=30",
        ),
        watches=(CONFIG, places.CA),
    )
    return (
        Package("haproxy", mask=("haproxy.service",)),
        File(CONFIG, config(environment).encode()),
        *units.resources(service),
    )
