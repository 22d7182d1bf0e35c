"""AgentConfig: agent.json and controller.json, which apply writes on a host. Pure except ``load``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rancherctl.contract import AGENT_CONFIG
from rancherctl.errors import UsageError
from rancherctl.network.model import Mode

PATH = Path(AGENT_CONFIG)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One host's configuration.

    ``dns_upstreams`` () = the host's own resolvers. ``lease_seconds``: period of the host's heartbeat. ``owners``,
    for the controller only: each address that the environment file names → the host that has it, "" = no host.
    """

    node: str
    environment: str
    server: str
    ca: str
    cert: str
    key: str
    internal: str
    public: str
    roles: tuple[str, ...]
    pod_cidr: str
    service_cidr: str
    network_mode: Mode
    dns_domain: str
    dns_addresses: tuple[str, ...]
    dns_upstreams: tuple[str, ...]
    http_port: int = 80
    https_port: int = 443
    lease_seconds: float = 2.0
    owners: tuple[tuple[str, str], ...] = ()

    def dump(self) -> str:
        """The file's text."""
        data = {
            "node": self.node,
            "environment": self.environment,
            "server": self.server,
            "ca": self.ca,
            "cert": self.cert,
            "key": self.key,
            "addresses": {"internal": self.internal, "public": self.public},
            "roles": list(self.roles),
            "pod_cidr": self.pod_cidr,
            "service_cidr": self.service_cidr,
            "network_mode": self.network_mode,
            "dns": {
                "domain": self.dns_domain,
                "addresses": list(self.dns_addresses),
                "upstreams": list(self.dns_upstreams),
            },
            "ingress": {"http_port": self.http_port, "https_port": self.https_port},
            "lease_seconds": self.lease_seconds,
        }
        return json.dumps({**data, "owners": dict(self.owners)} if self.owners else data, indent=2) + "\n"


def lease_seconds(hosts: int) -> float:
    """Period of each host's heartbeat: 2 s, longer if the API would write over 100 Leases a second."""
    return float(max(2, -(-hosts // 100)))


def parse(data: Mapping[str, Any]) -> AgentConfig:
    """Parse the file's JSON; KeyError or TypeError if a part is missing."""
    return AgentConfig(
        node=data["node"],
        environment=data["environment"],
        server=data["server"],
        ca=data["ca"],
        cert=data["cert"],
        key=data["key"],
        internal=data["addresses"]["internal"],
        public=data["addresses"]["public"],
        roles=tuple(data["roles"]),
        pod_cidr=data["pod_cidr"],
        service_cidr=data["service_cidr"],
        network_mode=data["network_mode"],
        dns_domain=data["dns"]["domain"],
        dns_addresses=tuple(data["dns"]["addresses"]),
        dns_upstreams=tuple(data["dns"]["upstreams"]),
        http_port=int(data["ingress"]["http_port"]),
        https_port=int(data["ingress"]["https_port"]),
        lease_seconds=float(data["lease_seconds"]),
        owners=tuple((data.get("owners") or {}).items()),
    )


def load(path: Path = PATH) -> AgentConfig:
    """Read the file. UsageError: it is missing or not valid."""
    try:
        return parse(json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist", hint="this host is not part of an environment yet: run `rancherctl env apply`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not valid",
            why=f"{type(error).__name__}: {error}",
            hint="`rancherctl env apply` writes it again",
        ) from error
