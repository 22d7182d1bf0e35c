"""The API balancer: a small HAProxy of its own on 127.0.0.1:7443, so that no client on the host knows which API server answers. Pure."""

from __future__ import annotations

from rancherctl.environments.components import places, units
from rancherctl.environments.model import LOCAL_API, LOCAL_API_PORT, Environment
from rancherctl.hosts.model import File, Package, Resource

CONFIG = f"{places.ETC}/api-balancer.cfg"
READY_URL = f"{LOCAL_API}/readyz"


def config(environment: Environment) -> str:
    """haproxy.cfg: TCP pass-through, an HTTPS check of /readyz each second, sessions of a dead server are cut at once.

    Idle time-outs are long because watches are silent for minutes and end by themselves within 10. A check's answer has one second: a server
    that has others beside it is out after two misses. The only one is given five, because nobody is there to take over, and cutting every
    watch of a server that is merely busy gives it all of them to list anew.
    """
    hosts = environment.with_role("controlplane")
    servers = "\n".join(f"  server {host.name} {host.address}:{environment.api.port}" for host in hosts)
    misses = 2 if len(hosts) > 1 else 5
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
  default-server check check-ssl ca-file {places.CA} verify required inter 1s fastinter 500ms fall {misses} rise 1 on-marked-down shutdown-sessions
{servers}
"""


def resources(environment: Environment) -> tuple[Resource, ...]:
    """Everything of the API balancer on a host."""
    service = units.Service(
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
