"""Write an Environment as the YAML file that ``inventory.load`` parses to the same value. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rancherctl.contract import API_VERSION
from rancherctl.environments.model import KIND, Api, Dns, Environment, FederationSettings, IngressSettings, Network
from rancherctl.hosts.model import ROLES, Host, SshAddress


def dump(environment: Environment) -> str:
    """The file as YAML; of the defaults it contains version and network only."""
    import yaml

    return str(yaml.safe_dump(document(environment), sort_keys=False, allow_unicode=True, width=150))


def portable(environment: Environment) -> Environment:
    """The environment without paths of one operator's machine: keys, ssh configurations, known hosts."""

    def without(host: Host) -> Host:
        return replace(host, ssh=replace(host.ssh, identity="", config="", known_hosts=""))

    return replace(environment, hosts=tuple(without(host) for host in environment.hosts))


def document(environment: Environment) -> dict[str, Any]:
    """The file as plain values."""
    metadata: dict[str, Any] = {"name": environment.name}
    if environment.labels:
        metadata["labels"] = dict(environment.labels)
    spec: dict[str, Any] = {"kubernetes": {"version": environment.kubernetes}, "network": _network(environment.network)}
    optional = {"dns": _dns(environment.dns), "api": _api(environment.api), "ingress": _ingress(environment.ingress)}
    if environment.services.default is not None:
        optional["services"] = {"default": environment.services.default}
    if environment.federation is not None:
        optional["federation"] = _federation(environment.federation)
    spec |= {key: value for key, value in optional.items() if value}
    spec["hosts"] = [_host(host) for host in environment.hosts]
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def _network(network: Network) -> dict[str, Any]:
    out: dict[str, Any] = {"podCIDR": network.pod_cidr, "serviceCIDR": network.service_cidr, "mode": network.mode}
    if network.check_seconds != Network().check_seconds:
        out["checkSeconds"] = network.check_seconds
    return out | ({"openFirewall": True} if network.open_firewall else {})


def _dns(dns: Dns) -> dict[str, Any]:
    out: dict[str, Any] = {"domain": dns.domain}
    if dns.upstreams:
        out["upstreams"] = list(dns.upstreams)
    if dns.stub_domains:
        out["stubDomains"] = {domain: list(servers) for domain, servers in dns.stub_domains}
    if dns.max_negative_ttl != Dns().max_negative_ttl:
        out["maxNegativeTTL"] = dns.max_negative_ttl
    if dns.federations:
        out["federations"] = dict(dns.federations)
    return {} if dns == Dns() else out


def _api(api: Api) -> dict[str, Any]:
    values = {
        "address": api.address,
        "port": api.port if api.port != Api().port else "",
        "extraSANs": list(api.extra_sans),
    }
    return {key: value for key, value in values.items() if value}


def _ingress(ingress: IngressSettings) -> dict[str, Any]:
    default, out = IngressSettings(), dict[str, Any]()
    if not ingress.default_class:
        out["defaultClass"] = False
    if (ingress.role, ingress.labels) != (default.role, default.labels):
        out["hosts"] = ({"role": ingress.role} if ingress.role else {}) | (
            {"labels": dict(ingress.labels)} if ingress.labels else {}
        )
    lists = {"trustedProxies": ingress.trusted_proxies, "proxyProtocol": ingress.proxy_protocol}
    out |= {key: list(networks) for key, networks in lists.items() if networks}
    if ingress.external_names != default.external_names:
        out["externalNames"] = ingress.external_names
    if ingress.access_log != default.access_log:
        out["accessLog"] = ingress.access_log
    tls = {"redirect": ingress.tls_redirect, "defaultCertificate": ingress.default_certificate}
    changed: dict[str, Any] = {key: text for key, text in tls.items() if text not in {default.tls_redirect, ""}}
    if not ingress.keys_on_disk:
        changed["keysOnDisk"] = False
    if changed:
        out["tls"] = changed
    return out


def _federation(federation: FederationSettings) -> dict[str, Any]:
    default = FederationSettings("")
    out: dict[str, Any] = {"zone": federation.zone, "provider": federation.provider}
    lists = {"servers": federation.servers, "transferServers": federation.transfer_servers}
    out |= {key: list(values) for key, values in lists.items() if values}
    values = {"ttl": federation.ttl, "offline": federation.offline, "whenNone": federation.when_none}
    standard = {"ttl": default.ttl, "offline": default.offline, "whenNone": default.when_none}
    return out | {key: value for key, value in values.items() if value != standard[key]}


def _host(host: Host) -> dict[str, Any]:
    out: dict[str, Any] = {"name": host.name, "address": host.address}
    if host.public_address:
        out["publicAddress"] = host.public_address
    out["roles"] = [role for role in ROLES if role in host.roles]
    if host.labels:
        out["labels"] = dict(host.labels)
    ssh = _ssh(host.ssh, host.address)
    if ssh:
        out["ssh"] = ssh
    return out


def _ssh(ssh: SshAddress, address: str) -> dict[str, Any]:
    values = {
        "host": ssh.host if ssh.host != address else "",
        "user": ssh.user,
        "port": ssh.port,
        "identity": ssh.identity,
        "config": ssh.config,
        "knownHosts": ssh.known_hosts,
        "jump": ssh.jump,
        "client": ssh.client if ssh.client != SshAddress("").client else "",
    }
    return {key: value for key, value in values.items() if value}
