"""How a lab is: which hosts run, which are cut. Reads processes and links, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from rancherctl.lab import network, nspawn, state
from rancherctl.lab.command import LabError
from rancherctl.lab.model import HostState, Lab, LabHost
from rancherctl.lab.paths import LabPaths, Roots


@dataclass(frozen=True, slots=True)
class LabHostStatus:
    """One row of ``lab status``. ``pid``: the host's init on the machine, None if stopped; ``via``: its ssh bastion.

    ``firewall`` and ``filter_pod_sources`` as in LabSpec.
    """

    lab: str
    name: str
    address: str
    state: HostState
    os: str
    variant: str
    pid: int | None
    via: str | None
    firewall: str | None = None
    filter_pod_sources: bool = False


def lab_status(name: str, roots: Roots) -> tuple[LabHostStatus, ...]:
    """All hosts of one lab; NotFoundError where there is none of that name."""
    lab, _tree = state.load(roots, name)
    paths = roots.lab(name)
    return tuple(host_status(lab, host, paths) for host in lab.hosts)


def host_status(lab: Lab, host: LabHost, paths: LabPaths) -> LabHostStatus:
    """One host, looked at now."""
    leader = nspawn.leader_of(paths.host(host.name))
    bastion = lab.bastion(host)
    found: HostState = "stopped"
    if leader is not None:
        found = _link_state(leader.pid)
    pid = leader.pid if leader else None
    return LabHostStatus(
        lab.name,
        host.name,
        str(host.address),
        found,
        lab.spec.os,
        lab.spec.variant,
        pid,
        bastion.name if bastion else None,
        lab.spec.firewall,
        lab.spec.filter_pod_sources,
    )


def _link_state(leader: int) -> HostState:
    """``unknown`` where the link cannot be read: the host is just rebooting, or the reader is not root."""
    try:
        return "running" if network.host_link_up(leader) else "cut"
    except LabError:
        return "unknown"
