"""AgentConfig: agent.json and controller.json, which apply writes on a host. Pure except ``load``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from rancherctl.contract import AGENT_CONFIG
from rancherctl.dns.model import MAX_NEGATIVE_TTL
from rancherctl.errors import UsageError
from rancherctl.network.model import Mode

PATH = Path(AGENT_CONFIG)


def _json(*path: str, read: Callable[[Any], Any] = lambda value: value, optional: bool = False) -> dict[str, Any]:
    """Where a field stands in the file, and how its JSON value is read.

    An ``optional`` one is in the file only if it differs from its default: release 0.1 did not write it.
    """
    return {"path": path, "read": read, "optional": optional}


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One host's configuration; the fields also define the file, in their order.

    ``dns_upstreams`` () = the host's own resolvers. ``dns_stub_domains``: (domain, its servers). ``trusted_proxies`` …
    ``keys_on_disk``: see environments.model.IngressSettings. ``ingress_reserved``: TCP ports that Ingresses may not
    have in this environment, beside those that they may have nowhere (ingress.annotations.ports). ``lease_seconds``:
    period of the host's heartbeat. ``pod_check_seconds``: period of its pod path check.

    For the controller only: ``owners``, each address that the environment file names → the host that has it, "" = no
    host; ``services_default``, whether Services without a class are ours; ``reserved_ports``, (protocol, port, what
    uses it) that no Service may have. ``federation``: whether the host is one of a federation, which has neither
    kube-proxy nor statuses of Ingresses and Services; ``federation_settings``: for rancherctl-federation only, see
    federation.settings.
    """

    node: str
    environment: str
    server: str
    ca: str
    cert: str
    key: str
    internal: str = field(metadata=_json("addresses", "internal"))
    public: str = field(metadata=_json("addresses", "public"))
    roles: tuple[str, ...] = field(metadata=_json("roles", read=tuple))
    pod_cidr: str
    service_cidr: str
    network_mode: Mode
    dns_domain: str = field(metadata=_json("dns", "domain"))
    dns_addresses: tuple[str, ...] = field(metadata=_json("dns", "addresses", read=tuple))
    dns_upstreams: tuple[str, ...] = field(metadata=_json("dns", "upstreams", read=tuple))
    pod_check_seconds: int = field(default=60, metadata=_json("pod_check_seconds", read=int, optional=True))
    dns_stub_domains: tuple[tuple[str, tuple[str, ...]], ...] = field(
        default=(),
        metadata=_json(
            "dns", "stub_domains", read=lambda rows: tuple((name, tuple(part)) for name, part in rows), optional=True
        ),
    )
    dns_max_negative_ttl: int = field(
        default=MAX_NEGATIVE_TTL, metadata=_json("dns", "max_negative_ttl", read=int, optional=True)
    )
    http_port: int = field(default=80, metadata=_json("ingress", "http_port", read=int))
    https_port: int = field(default=443, metadata=_json("ingress", "https_port", read=int))
    open_firewall: bool = field(default=False, metadata=_json("open_firewall", read=bool, optional=True))
    trusted_proxies: tuple[str, ...] = field(
        default=(), metadata=_json("ingress", "trusted_proxies", read=tuple, optional=True)
    )
    proxy_protocol: tuple[str, ...] = field(
        default=(), metadata=_json("ingress", "proxy_protocol", read=tuple, optional=True)
    )
    external_names: bool = field(default=True, metadata=_json("ingress", "external_names", read=bool, optional=True))
    default_certificate: str = field(
        default="", metadata=_json("ingress", "default_certificate", read=str, optional=True)
    )
    tls_redirect: bool = field(default=True, metadata=_json("ingress", "tls_redirect", read=bool, optional=True))
    keys_on_disk: bool = field(default=True, metadata=_json("ingress", "keys_on_disk", read=bool, optional=True))
    access_log: str = field(default="errors", metadata=_json("ingress", "access_log", read=str, optional=True))
    ingress_reserved: tuple[int, ...] = field(
        default=(), metadata=_json("ingress", "reserved_ports", read=tuple, optional=True)
    )
    services_default: bool = field(default=False, metadata=_json("services", "default", read=bool, optional=True))
    reserved_ports: tuple[tuple[str, int, str], ...] = field(
        default=(), metadata=_json("services", "reserved", read=lambda rows: tuple(map(tuple, rows)), optional=True)
    )
    federation: bool = field(default=False, metadata=_json("federation", "enabled", read=bool, optional=True))
    federation_settings: Mapping[str, Any] = field(
        default_factory=dict, metadata=_json("federation", "settings", optional=True)
    )
    lease_seconds: float = field(default=2.0, metadata=_json("lease_seconds", read=float))
    owners: tuple[tuple[str, str], ...] = field(default=(), metadata=_json("owners", read=lambda d: tuple(d.items())))

    def dump(self) -> str:
        """The file's text; without ``owners`` if there are none."""
        data: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.metadata.get("optional") and (not value if item.default is MISSING else value == item.default):
                continue
            *groups, key = _path(item)
            inner = data
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[key] = getattr(self, item.name)
        owners = dict(data.pop("owners"))
        return json.dumps({**data, "owners": owners} if owners else data, indent=2) + "\n"


def _path(item: Field[Any]) -> tuple[str, ...]:
    return item.metadata.get("path") or (item.name,)


def lease_seconds(hosts: int) -> float:
    """Period of each host's heartbeat: 2 s, longer if the API would write over 100 Leases a second."""
    return float(max(2, -(-hosts // 100)))


def parse(data: Mapping[str, Any]) -> AgentConfig:
    """Parse the file's JSON; KeyError or TypeError if a part is missing that is neither optional nor ``owners``."""
    complete = {**data, "owners": data.get("owners") or {}}
    values: dict[str, Any] = {}
    for item in fields(AgentConfig):
        value: Any = complete
        *groups, key = _path(item)
        for group in groups:
            value = value.get(group, {}) if item.metadata.get("optional") else value[group]
        if item.metadata.get("optional") and key not in value:
            continue
        value = value[key]
        values[item.name] = item.metadata["read"](value) if item.metadata else value
    return AgentConfig(**values)


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
