"""Judge hosts by their facts: every problem is ``host: what (remedy)``. Pure.

An unknown fact is a warning, not a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, ip_network

from rancherctl.environments import ports
from rancherctl.environments.model import Environment
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Host

SYSTEMS = {("debian", "12"), ("debian", "13"), ("ubuntu", "24.04")}
FOREIGN = (
    "kubelet", "k3s", "k3s-agent", "rke2-server", "rke2-agent", "k0scontroller", "k0sworker",
    "snap.microk8s.daemon-kubelite", "kube-apiserver", "etcd", "docker", "containerd", "crio", "named", "haproxy",
)  # fmt: skip
"""Units that conflict with those of an environment over ports, pods or sockets."""
KUBELET_NEEDS = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}
GIB = 1 << 30
ALL = ("0.0.0.0", "*", "::")  # noqa: S104  printed by ss, not bound
SKEW_LIMIT, SKEW_WARNING = 60.0, 5.0


def owner(facts: HostFacts) -> str:
    """The environment that the host belongs to, "" if none."""
    return str((facts.marker or {}).get("environment", ""))


def problems(environment: Environment, host: Host, facts: HostFacts, arch: str) -> list[str]:
    """What must be fixed on one host before anything is changed on it."""
    is_member = owner(facts) == environment.name
    out = [
        *_belongs(environment, host, facts),
        *_system(facts, arch),
        *_kernel(environment, facts),
        *_size(host, facts),
    ]
    if not is_member:
        out += [*conflicting_units(facts), *_ports(environment, host, facts), *_ranges(environment, facts)]
    return [f"{host.name}: {line}" for line in out]


def warnings(host: Host, facts: HostFacts) -> list[str]:
    """What does not prevent an apply."""
    out = [
        f"{name} is unknown: {why}"
        for name, why in facts.unread.items()
        if not (name == "python" and _lacks_python(facts))
    ]
    if host.is_a("controlplane") and facts.cpus == 1:
        out.append("has 1 CPU: the control plane will be slow")
    if facts.swap_bytes:
        out.append(f"{facts.swap_bytes / GIB:.1f} GiB of swap: pods do not use it, other programs may")
    if facts.cgroup == 1:
        out.append("cgroup v1: works, but Kubernetes will remove support for it")
    if facts.skew is not None and SKEW_WARNING < abs(facts.skew) - (facts.skew_error or 0.0) <= SKEW_LIMIT:
        out.append(f"clock is {facts.skew:+.0f} s off")
    return [f"{host.name}: {line}" for line in out]


def shared_identities(hosts: Iterable[Host], facts: Mapping[str, HostFacts]) -> list[str]:
    """Machine IDs, host names and MAC addresses that several hosts have in common.

    Of MAC addresses, only that of the interface with the host's own address counts: bridges and NAT interfaces of
    virtual machines and containers (virbr0, docker0, lxdbr0) have the same on many machines.
    """
    seen: dict[tuple[str, str], str] = {}
    out = []
    for name, address in ((host.name, host.address) for host in hosts if host.name in facts):
        fact = facts[name]
        interfaces = [one.interface for one in fact.addresses or () if one.address == address]
        keys = [("machine ID", fact.machine_id or ""), ("host name", fact.hostname or "")]
        keys += [("MAC address", (fact.macs or {}).get(interface, "")) for interface in interfaces]
        for kind, value in keys:
            first = seen.setdefault((kind, value), name) if value else name
            if first != name:
                remedy = (
                    "is it the same machine?" if kind != "host name" else "change it: hostnamectl set-hostname NAME"
                )
                out.append(f"{name}: has the same {kind} {value} as {first} ({remedy})")
    return out


def _lacks_python(facts: HostFacts) -> bool:
    """Whether the shell answered that Python is not installed; other failures leave it unknown."""
    return "not found" in facts.unread.get("python", "")


def tunnels(environment: Environment, facts: Mapping[str, HostFacts]) -> list[str]:
    """Hosts whose kernel lacks VXLAN although hosts are on several subnets, or the network mode is vxlan."""
    networks = subnets(environment, facts)
    forced = environment.network.mode == "vxlan" and len(environment.hosts) > 1
    if not environment.routes_pods or (len(networks) < 2 and not forced):
        return []
    where = "for spec.network.mode vxlan" if forced else f"between subnets {' and '.join(sorted(networks))}"
    why = f"needed {where} (modprobe vxlan, or another kernel)"
    return [
        f"{name}: kernel lacks vxlan, {why}"
        for name, fact in facts.items()
        if (fact.features or {}).get("vxlan") is False
    ]


def subnets(environment: Environment, facts: Mapping[str, HostFacts]) -> frozenset[str]:
    """The networks of the hosts' addresses."""
    out = set()
    for host in environment.hosts:
        for address in (facts[host.name].addresses or ()) if host.name in facts else ():
            if address.address == host.address:
                out.add(str(ip_network(f"{address.address}/{address.prefix}", strict=False)))
    return frozenset(out)


def _belongs(environment: Environment, host: Host, facts: HostFacts) -> Iterable[str]:
    marker = facts.marker or {}
    if owner(facts) not in ("", environment.name):
        yield f"belongs to environment {owner(facts)!r} (remove it there first: rancherctl env rm {owner(facts)})"
    elif marker.get("host", host.name) != host.name:
        yield f"is already host {marker.get('host')!r} of this environment; one machine cannot have two names"
    if facts.addresses is not None and host.address not in {a.address for a in facts.addresses}:
        existing = ", ".join(a.address for a in facts.addresses if a.family == 4 and a.scope == "global")
        remedy = "behind NAT, set address to the machine's own and publicAddress to the other"
        yield f"address {host.address} is not on this machine (it has {existing or 'none'}); {remedy}"


def _system(facts: HostFacts, arch: str) -> Iterable[str]:
    if facts.os_id is not None and (facts.os_id, facts.os_version) not in SYSTEMS:
        yield f"runs {facts.os_name}, which is not supported (Debian 12 or 13, Ubuntu 24.04)"
    if facts.arch is not None and facts.arch != arch:
        yield f"is {facts.arch}, the bundle is for {arch} (create a bundle for {facts.arch})"
    if facts.selinux == "enforcing":
        yield "SELinux is enforcing, which is not supported"
    if facts.systemd_state in ("offline", "stopping", "maintenance"):
        yield f"systemd is {facts.systemd_state}"
    if _lacks_python(facts):
        yield "Python 3 is not installed (apt-get install python3)"
    if facts.python is not None and tuple(map(int, facts.python.split(".")[:2])) < (3, 11):
        yield f"has Python {facts.python}, needs 3.11 or later"
    if facts.skew is not None and abs(facts.skew) - (facts.skew_error or 0.0) > SKEW_LIMIT:
        yield f"clock is {facts.skew:+.0f} s off (set up time synchronisation: apt-get install systemd-timesyncd)"


def _kernel(environment: Environment, facts: HostFacts) -> Iterable[str]:
    for name in ("overlay", "nf_tables", *(("veth",) if environment.routes_pods else ())):
        if facts.features is not None and facts.features.get(name) is False:
            yield f"kernel lacks {name} (modprobe {name}, or another kernel)"
    if facts.devices is not None and "/dev/kmsg" not in facts.devices:
        yield "/dev/kmsg is missing, which kubelet reads (pass it into the container)"
    for name, value in KUBELET_NEEDS.items():
        found = (facts.sysctls or {}).get(name)
        if found is not None and found.value != value and not found.writable:
            remedy = "set it outside the container"
            yield f"/proc/sys/{name} is {found.value}, kubelet needs {value} and cannot set it ({remedy})"


def _size(host: Host, facts: HostFacts) -> Iterable[str]:
    least = 1.5 * GIB if host.is_a("controlplane") else 0.7 * GIB
    if facts.memory_bytes is not None and facts.memory_bytes < least:
        yield f"has {facts.memory_bytes / GIB:.1f} GiB of memory, needs {least / GIB:.1f}"
    for path, need in (("/opt", 1.0 * GIB), ("/var/lib", 2.0 * GIB)):
        disk = (facts.disks or {}).get(path)
        if disk is not None and disk.free < need and not facts.marker:
            yield f"{path} has {disk.free / GIB:.1f} GiB free, needs {need / GIB:.0f} (on {disk.mount})"


def conflicting_units(facts: HostFacts) -> Iterable[str]:
    """Running foreign units that conflict with those of an environment."""
    for name in FOREIGN:
        unit = (facts.units or {}).get(name)
        if unit is not None and unit.active in ("active", "activating", "reloading"):
            yield f"{name}.service is running (systemctl disable --now {name})"


def _ports(environment: Environment, host: Host, facts: HostFacts) -> Iterable[str]:
    wanted = ports.needed(environment, host)
    taken: dict[tuple[str, int], str] = {}
    for listener in facts.listeners or ():
        port = (listener.protocol, listener.port)
        # named listens on two addresses only: a local resolver or the bridge of virtual machines does not conflict
        if port in wanted and not (
            listener.port == 53 and listener.address not in (*ALL, *environment.dns_addresses())
        ):
            taken.setdefault(port, ", ".join(listener.processes) or "an unknown process")
    for (protocol, number), process in sorted(taken.items()):
        yield f"port {number}/{protocol} is used by {process}; it is needed for {wanted[protocol, number]}"


def _ranges(environment: Environment, facts: HostFacts) -> Iterable[str]:
    routes = {r.destination for r in facts.routes or () if r.destination != "default" and ":" not in r.destination}
    for name, text in (("podCIDR", environment.network.pod_cidr), ("serviceCIDR", environment.network.service_cidr)):
        for route in sorted(routes):
            if ip_network(route, strict=False).overlaps(IPv4Network(text)):
                yield f"route {route} overlaps spec.network.{name} {text} (choose another range)"
