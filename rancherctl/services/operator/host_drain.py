"""Take a host out as a load balancer, and put it back: what must move first, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from rancherctl.contract import DRAIN_ANNOTATION, EXCLUDE_LABEL
from rancherctl.errors import RefusedError
from rancherctl.ingress.operator import api_view as ingress_api
from rancherctl.ingress.operator import relocation
from rancherctl.ingress.operator.overview import check_hosts
from rancherctl.ingress.status.report import HostReport
from rancherctl.kube.client import NODES, KubeClient
from rancherctl.placement.model import RosterHost
from rancherctl.services.operator import api_view as services_api
from rancherctl.services.operator.overview import plan_rows
from rancherctl.services.placement import NOTHING
from rancherctl.text import and_more, plural


@dataclass(frozen=True, slots=True)
class View:
    """Ingresses and Services at one moment."""

    ingresses: ingress_api.ApiView
    services: services_api.ServicesView

    def host(self, name: str) -> RosterHost:
        """The host in the roster; UsageError if there is none of that name."""
        check_hosts(self.ingresses.roster, [name])
        return next(h for h in self.ingresses.roster.hosts if h.name == name)


@dataclass(frozen=True, slots=True)
class Progress:
    """What is left at a host.

    ``published``: Ingresses and Services in whose status its address is. ``served``: those that it serves still.
    ``finishing``: HAProxy processes with open connections from before. ``drained``: whether the leader knows of it.
    """

    published: tuple[str, ...]
    served: int
    finishing: int
    drained: bool

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.drained and not (self.published or self.served or self.finishing)

    def text(self, host: RosterHost) -> str:
        """What is waited for, one line."""
        if not self.drained:
            return "waiting for the controller"
        if self.published:
            return f"{host.address} is still in the status of {and_more(self.published)}: waiting for other hosts"
        if self.served:
            return f"{host.address} left all statuses; it serves clients with older DNS answers for {host.draining} s"
        if self.finishing:
            processes = plural(self.finishing, "HAProxy process", "HAProxy processes")
            return f"connections from before are still open ({processes})"
        return "nothing is left"


def read(client: KubeClient) -> View:
    """Read everything that is needed, each object once."""
    maps = ingress_api.read_maps(client)
    return View(ingress_api.read_api(client, maps), services_api.read_api(client, maps))


def stranded(view: View, host: str) -> list[str]:
    """Ingresses and Services that would have no address without this host, each with the reason."""
    lost = [
        f"Ingress {row['namespace']}/{row['name']}: {row['message']}"
        for row in relocation.without_hosts(view.ingresses, [host]).rows
        if row["change"] == "unplaceable"
    ]
    address = view.host(host).address
    for key, service in sorted(view.services.wanted.items()):
        if service.published == (address,):
            rows = plan_rows(view.services, service, without=[host])
            if not any(row["chosen"] for row in rows):
                reasons = sorted({row["why"] for row in rows if row["host"] != host})
                lost.append(f"Service {key}: {and_more(reasons) or 'it is the only host'}")
    return lost


def begin(client: KubeClient, view: View, host: str, *, dns: int, force: bool) -> None:
    """Mark the Node. RefusedError if an Ingress or a Service would lose its last address, unless ``force``.

    ``dns``: seconds for which clients may use its address from DNS.
    """
    lost = stranded(view, host)
    if lost and not force:
        raise RefusedError(
            f"{host} is the only host of {plural(len(lost), 'object')}",
            why="; ".join(lost),
            hint="make room on other hosts, or take their addresses away with --force",
        )
    client.patch(NODES, host, {"metadata": {"annotations": {DRAIN_ANNOTATION: str(dns)}}})


def end(client: KubeClient, host: str) -> bool:
    """Take the mark away; returns whether the host is excluded all the same, by its Node's label."""
    node = client.patch(NODES, host, {"metadata": {"annotations": {DRAIN_ANNOTATION: None}}})
    return EXCLUDE_LABEL in (node["metadata"].get("labels") or {})


def progress(view: View, name: str) -> Progress:
    """How far the host is."""
    host, report = view.host(name), view.ingresses.reports.get(name, HostReport())
    published = [f"Ingress {i.meta.key}" for i in view.ingresses.ingresses.values() if host.address in i.status]
    published += [f"Service {s.name}" for s in view.services.wanted.values() if host.address in s.published]
    alive = host.alive
    services = view.services.reports.get(name, NOTHING).draining or {}
    return Progress(
        tuple(sorted(published)),
        len(report.served) + len(services) if alive else 0,
        report.finishing if alive else 0,
        host.draining > 0,
    )
