"""Check how the parts of an environment file fit together: duplicates, counts, overlaps, versions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from rancherctl.contract import LINK_LOCAL_DNS
from rancherctl.environments import ports, syntax
from rancherctl.environments.document import Problems
from rancherctl.environments.model import Environment
from rancherctl.errors import UsageError
from rancherctl.hosts.model import Host

if TYPE_CHECKING:
    import yaml


MAX_FEDERATION_NAME = 41
"""Characters: names of namespaces and of policies in members contain it."""
RESERVED_FEDERATION_NAMES = ("svc", "pod", "local", "cluster")
FEDERATION_PREFIX_LENGTH = 18
"""Every federated Service gets an address of the federation's own Service range."""


def version(text: str) -> str:
    """What is wrong with a Kubernetes version; "" if a bundle can be made for it."""
    from rancherctl.bundle.versions import versions_for

    try:
        versions_for(text)
    except UsageError as error:
        return f"{error.what}: {error.why} ({error.hint})"
    return ""


def canonical_version(text: str) -> str:
    """A known version without its optional ``v``; any other text unchanged."""
    from rancherctl.bundle.versions import versions_for

    try:
        return versions_for(text).kubernetes
    except UsageError:
        return text


def check(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> tuple[str, ...]:
    """Add what does not fit to ``problems``; return warnings.

    ``places`` maps a host's index, ``network``, ``hosts``, ``dns`` and ``port`` (the API's) to their nodes.
    """
    _duplicates(environment, places, problems)
    _ranges(environment, places, problems)
    _roles(environment, places, problems)
    _ports(environment, places, problems)
    _federation(environment, places, problems)
    _stub_domains(environment, places, problems)
    if not places:
        wrong = version(environment.kubernetes)
        if wrong:
            problems.add(None, wrong)
    return _warnings(environment)


def _duplicates(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> None:
    seen: dict[tuple[str, str], int] = {}
    for index, host in enumerate(environment.hosts):
        node = places.get(str(index))
        keys = [("name", host.name), ("address", host.address)]
        if host.public_address and host.public_address != host.address:
            keys.append(("address", host.public_address))
        login = (host.ssh.host, host.ssh.port or 22, host.ssh.jump)
        keys.append(("ssh target", f"{login[0]}:{login[1]}{' through ' + login[2] if login[2] else ''}"))
        for kind, value in keys:
            if not value or value.startswith(":"):
                continue
            first = seen.setdefault((kind, value), index)
            if first != index:
                problems.add(node, _duplicate(kind, value, environment.hosts[first].name, host))


def _duplicate(kind: str, value: str, first: str, host: Host) -> str:
    if kind == "name":
        return f"host name {value!r} is used twice; names must be unique"
    return f"hosts {first!r} and {host.name!r} have the same {kind} {value}; one machine cannot be two hosts"


def _network(text: str) -> IPv4Network | None:
    return None if syntax.cidr(text) else IPv4Network(text)


def _ranges(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> None:
    pods, services = _network(environment.network.pod_cidr), _network(environment.network.service_cidr)
    if pods is None or services is None:
        return
    if pods.overlaps(services):
        problems.add(places.get("network"), f"spec.network: podCIDR {pods} and serviceCIDR {services} overlap")
    if pods.prefixlen > 24 - max(1, (len(environment.hosts) - 1).bit_length()):
        count = len(environment.hosts)
        problems.add(
            places.get("network"),
            f"spec.network.podCIDR: {pods} is too small for a /24 on each of {count} hosts;"
            " use a larger range such as 10.42.0.0/16",
        )
    if not 12 <= services.prefixlen <= 24:
        problems.add(places.get("network"), f"spec.network.serviceCIDR: {services} must be between a /12 and a /24")
    for name, network in (("podCIDR", pods), ("serviceCIDR", services)):
        if IPv4Address(LINK_LOCAL_DNS) in network:
            problems.add(
                places.get("network"),
                f"spec.network.{name}: {network} contains {LINK_LOCAL_DNS}, which every host's DNS server uses",
            )
        for index, host in enumerate(environment.hosts):
            for kind, text in (("address", host.address), ("publicAddress", host.public_address)):
                if text and not syntax.address(text) and IPv4Address(text) in network:
                    problems.add(
                        places.get(str(index)),
                        f"host {host.name!r}: {kind} {text} lies inside spec.network.{name} {network}",
                    )


def _roles(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> None:
    if not environment.hosts:
        return
    for role, title in (("etcd", "etcd"), ("controlplane", "control-plane")):
        chosen = [i for i, h in enumerate(environment.hosts) if role in h.roles]
        if not chosen:
            problems.add(places.get("hosts"), f"no host has the role {role}; give it to one")
        elif len(chosen) > 1:
            names = ", ".join(environment.hosts[i].name for i in chosen)
            even = (
                f", and {_EVEN.format(len(chosen), len(chosen) - 1)}" if role == "etcd" and len(chosen) % 2 == 0 else ""
            )
            problems.add(
                places.get(str(chosen[1])),
                f"{len(chosen)} {title} hosts ({names}): more than one is not supported yet{even};"
                f" give the role {role} to one host",
            )


def _ports(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> None:
    """The API's port must not be in use by another component of a control-plane host."""
    port = environment.api.port
    for host in environment.with_role("controlplane")[:1]:
        if user := ports.taken(environment, host).get(("tcp", port)):
            problems.add(
                places.get("port"),
                f"spec.api.port: {port} is used on {host.name} by {user}; choose another, such as 6443",
            )


def _federation(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> None:
    """A federation has no workers, a short name, and servers for its names."""
    federation = environment.federation
    if federation is None:
        return
    node = places.get("federation")
    for index, host in enumerate(environment.hosts):
        if host.is_a("worker"):
            problems.add(
                places.get(str(index)),
                f"host {host.name!r}: a federation runs no workloads; leave out the role worker",
            )
    if len(environment.name) > MAX_FEDERATION_NAME:
        problems.add(
            node,
            f"name: the name of a federation may have {MAX_FEDERATION_NAME} characters, not {len(environment.name)}",
        )
    if environment.name in RESERVED_FEDERATION_NAMES:
        problems.add(node, f"name: {environment.name!r} means something else in DNS names of Kubernetes")
    flag = "" if places else "--server: "
    if federation.provider == "rfc2136" and not federation.servers:
        problems.add(node, f"{flag}provider rfc2136 needs a primary name server: spec.federation.servers, or --server")
    if federation.provider == "none" and (federation.servers or federation.transfer_servers):
        problems.add(node, f"{flag}provider none uses no servers: leave them out, or set the provider to rfc2136")


def _stub_domains(environment: Environment, places: Mapping[str, yaml.Node], problems: Problems) -> None:
    """Hosts answer the cluster's own zones themselves; named refuses its whole configuration if one is given twice."""
    dns, network = environment.dns, environment.network
    ranges = [found for cidr in (network.pod_cidr, network.service_cidr) if (found := _network(cidr)) is not None]
    for domain, _ in dns.stub_domains:
        reverse = _reverse_network(domain)
        inside = [own for own in ranges if reverse and reverse.overlaps(own) and reverse.prefixlen >= _octets(own)]
        zone = dns.domain if f".{domain}".endswith(f".{dns.domain.lower()}") else f"{inside[0]}" if inside else ""
        if zone:
            problems.add(
                places.get("dns"), f"spec.dns.stubDomains: hosts answer the names of {zone} themselves, and so {domain}"
            )


def _octets(network: IPv4Network) -> int:
    """The prefix length of the reverse zones of a network, which end at a label."""
    return min(24, -(-network.prefixlen // 8) * 8)


def _reverse_network(domain: str) -> IPv4Network | None:
    """The network of a reverse domain such as ``43.10.in-addr.arpa``, or None."""
    labels = domain.removesuffix(".in-addr.arpa").split(".")[::-1]
    if not domain.endswith(".in-addr.arpa") or len(labels) > 4:
        return None
    try:
        return IPv4Network(f"{'.'.join([*labels, '0', '0', '0'][:4])}/{8 * len(labels)}")
    except ValueError:  # another name of that domain (RFC 2317: 64/26)
        return None


_EVEN = "{} etcd hosts tolerate no more failures than {}"


def _warnings(environment: Environment) -> tuple[str, ...]:
    out = []
    members = len(environment.with_role("etcd"))
    if members and members % 2 == 0:
        out.append(f"{_EVEN.format(members, members - 1)}; use an odd number")
    if environment.has_workers and not environment.lb_hosts():
        out.append("no host carries load balancers: spec.ingress.hosts selects none")
    services = _network(environment.network.service_cidr)
    if environment.is_federation and services is not None and services.prefixlen > FEDERATION_PREFIX_LENGTH:
        out.append(
            f"spec.network.serviceCIDR {services} has room for {services.num_addresses - 2} federated Services;"
            f" use a /{FEDERATION_PREFIX_LENGTH} or larger"
        )
    return tuple(out)
