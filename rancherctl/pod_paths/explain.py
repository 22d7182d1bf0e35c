"""What the checks of all hosts mean together: one problem for each cause, at the host that has it. Pure.

One host cannot tell whether its packets are lost between the hosts or on the other host. Two can: if the other host
reports a cause of its own, or reaches the first one, the network between them is not to blame.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from rancherctl.pod_paths.model import Cause, Check, HostPaths
from rancherctl.text import and_more

LOCAL: Final[tuple[Cause, ...]] = ("dns-server", "kube-proxy", "firewall", "route", "mtu")
"""Causes that a host finds at itself, in the order in which they are reported."""
REASONS: Final[Mapping[Cause, str]] = {
    "dns-server": "DNSServerFailed",
    "kube-proxy": "KubeProxyFailed",
    "firewall": "FirewallDropsPods",
    "route": "RouteMissing",
    "mtu": "LargePacketsLost",
    "network": "NetworkDropsPods",
}
"""Reasons of the Node's condition."""


@dataclass(frozen=True, slots=True)
class PathProblem:
    """One cause at one host: a line for people without the host's name."""

    host: str
    cause: Cause
    text: str

    @property
    def reason(self) -> str:
        """The reason in the Node's condition."""
        return REASONS[self.cause]


def explain(paths: Mapping[str, HostPaths], live: Collection[str]) -> tuple[PathProblem, ...]:
    """The problems of all hosts, sorted by host; ``live`` are the hosts whose agents are alive.

    What a host says that is starting or not live does not count, nor what others say about its pods.
    """
    known = {host: found for host, found in paths.items() if host in live and not found.starting}
    out = list[PathProblem]()
    for host in sorted(known):
        out += _own(host, known[host])
        out += _between(host, known)
        out += _incoming(host, known)
    return tuple(out)


def _failures(paths: HostPaths, cause: Cause) -> list[tuple[str, Check]]:
    return [(what, check) for what, check in paths.checks() if check.answer == "no" and check.cause == cause]


def _own(host: str, paths: HostPaths) -> list[PathProblem]:
    """Causes that the host found at itself; each one is reported once, with everything it concerns."""
    out = []
    for cause in LOCAL:
        failures = _failures(paths, cause)
        if len(failures) == 1 or (failures and cause != "firewall"):
            out.append(PathProblem(host, cause, and_more([check.reason for _, check in failures], separator="; ")))
        elif failures:
            where = and_more([what for what, _ in failures])
            out.append(PathProblem(host, cause, f"a firewall of this host drops packets of its pods to {where}"))
    return out


def _has_own_cause(paths: HostPaths, peer: str) -> bool:
    """Whether a host reports a cause that also explains why pods of ``peer`` get no answer from its own."""
    towards = paths.pods.get(peer)
    return bool(_failures(paths, "firewall")) or (towards is not None and towards.cause in ("route", "mtu"))


def _lost(host: str, known: Mapping[str, HostPaths]) -> list[str]:
    """Hosts whose pods do not answer pods of ``host``, for no cause that either of the two reports."""
    return [
        peer
        for peer, check in sorted(known[host].pods.items())
        if check.answer == "no" and check.cause == "network" and peer in known and not _has_own_cause(known[peer], host)
    ]


def _reaches(paths: HostPaths, peer: str) -> bool:
    check = paths.pods.get(peer)
    return check is not None and check.answer == "yes"


def _between(host: str, known: Mapping[str, HostPaths]) -> list[PathProblem]:
    """Packets that are lost between the hosts."""
    found = known[host]
    lost = [peer for peer in _lost(host, known) if not _reaches(known[peer], host)]
    api = found.api.cause == "network" and not any(_failures(each, "firewall") for each in known.values())
    if not lost and not api:
        return []
    others = [check for peer, check in found.pods.items() if peer in known]
    everything = bool(lost) and len(lost) == len(others)
    where = ["pods of other hosts"] if everything else [f"pods of {peer}" for peer in lost]
    if api:
        where.append("the API")
    why = "the network between the hosts, or a firewall there, drops packets with pod addresses"
    return [PathProblem(host, "network", f"packets of pods to {and_more(where)} get no answer: {why}")]


def _incoming(host: str, known: Mapping[str, HostPaths]) -> list[PathProblem]:
    """Hosts that lose packets on their way to pods of ``host``, although pods of ``host`` reach them."""
    lost = [other for other in sorted(known) if host in _lost(other, known) and _reaches(known[host], other)]
    if not lost:
        return []
    text = f"a firewall of this host drops packets of pods of {and_more(lost)} to its pods (the other way works)"
    return [PathProblem(host, "firewall", text)]


def remedies(problems: Collection[PathProblem], environment: str) -> tuple[str, ...]:
    """What to do, one line for each cause."""
    hosts: dict[Cause, list[str]] = {}
    for each in problems:
        if each.host not in hosts.setdefault(each.cause, []):
            hosts[each.cause].append(each.host)
    return tuple(_remedy(cause, and_more(names), environment) for cause, names in hosts.items())


def _remedy(cause: Cause, hosts: str, environment: str) -> str:
    apply = f"rancherctl env apply {environment}"
    return {
        "dns-server": f"{apply} starts stopped units; if it fails again: journalctl -n 50 -u rancherctl-dns on {hosts}",
        "kube-proxy": (
            f"{apply} starts stopped units; if it stops again: journalctl -n 50 -u rancherctl-kube-proxy on {hosts}"
        ),
        "firewall": f"open the firewall of {hosts} for pods: {apply} --open-firewall",
        "route": f"agents restore routes within seconds; if not, see journalctl -n 50 -u rancherctl-agent on {hosts}",
        "mtu": f"the network to {hosts} loses packets as large as the MTU of its devices: lower the MTU, then {apply}",
        "network": (
            "if the network between the hosts cannot pass pod addresses, set spec.network.mode: vxlan"
            f" in the environment file and run {apply} -f FILE"
        ),
    }.get(cause, "")


def unknowns(paths: Mapping[str, HostPaths], live: Collection[str]) -> tuple[str, ...]:
    """``host: line`` for what hosts could not tell about themselves, for example because the check could not run."""
    out = []
    for host, found in sorted(paths.items()):
        if host not in live or found.starting:
            continue
        reasons = dict.fromkeys(
            check.reason for _, check in found.checks() if check.answer == "unknown" and check.cause == "endpoint"
        )
        out += [f"{host}: paths of pods were not checked: {reason}" for reason in reasons]
    return tuple(out)
