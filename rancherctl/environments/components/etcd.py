"""etcd: TLS for clients and peers, data in /var/lib/rancherctl/etcd, metrics on loopback only. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.bundle.versions import versions_for
from rancherctl.environments.components import places, units
from rancherctl.environments.components.kubeconfig import yaml_file
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Directory, Host, Resource, User

CONFIG = f"{places.ETC}/etcd.yaml"
DATA = f"{places.DATA}/etcd"
CLIENT_PORT: Final = 2379
PEER_PORT: Final = 2380
METRICS_PORT: Final = 2381
METRICS_URL: Final = f"http://127.0.0.1:{METRICS_PORT}"
HEALTH_URL: Final = f"{METRICS_URL}/health"
"""Succeeds if this member can commit a read, which takes a quorum."""
PROGRESS_NANOSECONDS = 5_000_000_000


def endpoints(environment: Environment, host: Host) -> list[str]:
    """Client URLs of all members as seen from ``host``: its own member first, by loopback."""
    members = environment.with_role("etcd")
    others = [f"https://{m.address}:{CLIENT_PORT}" for m in members if m.name != host.name]
    return [f"https://127.0.0.1:{CLIENT_PORT}", *others] if host.is_a("etcd") else others


def config(environment: Environment, host: Host) -> dict[str, object]:
    """etcd's configuration file (keys as in etcd.conf.yml)."""
    members = environment.with_role("etcd")
    return {
        "name": host.name,
        "data-dir": DATA,
        "listen-client-urls": f"https://127.0.0.1:{CLIENT_PORT},https://{host.address}:{CLIENT_PORT}",
        "advertise-client-urls": f"https://{host.address}:{CLIENT_PORT}",
        "listen-peer-urls": f"https://{host.address}:{PEER_PORT}",
        "initial-advertise-peer-urls": f"https://{host.address}:{PEER_PORT}",
        "initial-cluster": ",".join(f"{m.name}=https://{m.address}:{PEER_PORT}" for m in members),
        "initial-cluster-token": environment.name,
        "initial-cluster-state": "new",
        "listen-metrics-urls": METRICS_URL,
        "client-transport-security": _tls("etcd-server"),
        "peer-transport-security": _tls("etcd-peer"),
        "tls-min-version": "TLS1.2",
        "strict-reconfig-check": True,
        "quota-backend-bytes": 4 << 30,
        "snapshot-count": 10000,
        # without these the API server sends no bookmarks for kinds that never change, and their watches look dead
        "watch-progress-notify-interval": PROGRESS_NANOSECONDS,
        "log-level": "info",
    }


def _tls(leaf: str) -> dict[str, object]:
    return {
        "cert-file": places.crt(leaf),
        "key-file": places.key(leaf),
        "client-cert-auth": True,
        "trusted-ca-file": places.ETCD_CA,
    }


def resources(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """Everything of etcd on a host of that role, apart from certificates and the program."""
    owner = f"{places.ETCD_USER}:{places.ETCD_USER}"
    version = versions_for(environment.kubernetes).etcd
    service = units.ServiceUnit(
        "etcd",
        "etcd of a rancherctl environment",
        (places.program("etcd", version, "etcd"), f"--config-file={CONFIG}"),
        user=places.ETCD_USER,
        type="notify",
        writable=(DATA,),
        lines=("Nice=-5", "IOSchedulingClass=best-effort", "IOSchedulingPriority=0", "TimeoutStartSec=120"),
        watches=(CONFIG, places.ETCD_CA),
    )
    return (
        User(places.ETCD_USER, DATA),
        Directory(DATA, 0o700, owner),
        yaml_file(CONFIG, config(environment, host), 0o644, "root:root"),
        *units.resources(service),
    )
