"""What an operator can see of ingress in the API: Ingresses, classes, the roster, what hosts confirmed; and how one Ingress is rescaled."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.errors import NotFoundError, RancherctlError, UsageError
from rancherctl.ingress.annotations.parse import MAX_SCALE, SCALE, SCALE_LONG
from rancherctl.ingress.model import CLASS_NAME, Roster
from rancherctl.ingress.status import plan
from rancherctl.ingress.translate import classes
from rancherctl.kube.client import CONFIGMAPS, INGRESSCLASSES, INGRESSES, KubeClient
from rancherctl.kube.objects import Ingress, IngressClass, config_map, ingress, ingress_class

NAMESPACE = "rancherctl-system"
_REPORT = "report-"


@dataclass(frozen=True, slots=True)
class World:
    """One look. ``reports`` by host; ``alarms`` are hosts' own words about what is wrong with their load balancer."""

    ingresses: Mapping[str, Ingress]
    classes: Mapping[str, IngressClass]
    roster: Roster
    reports: Mapping[str, plan.HostReport]
    alarms: Mapping[str, str]

    def served(self, target: Ingress) -> Ingress:
        """The same, if its class is ours; UsageError if it is not."""
        if classes.is_rancher(target, self.classes):
            return target
        what = f"is of the class {target.class_name}" if target.class_name else "has no class of ours"
        raise UsageError(
            f"{target.meta.key} is not served from here",
            why=f"it {what}; ours is {CLASS_NAME}",
            hint=f"rancherctl ingress show {target.meta.key}",
        )

    def find(self, name: str, namespace: str = "") -> Ingress:
        """The Ingress called ``name`` or ``namespace/name``. NotFoundError with what is near; UsageError when several fit."""
        key = name if "/" in name else f"{namespace}/{name}" if namespace else ""
        fitting = [i for i in self.ingresses.values() if (i.meta.key == key if key else i.meta.name == name)]
        if len(fitting) > 1:
            where = ", ".join(sorted(i.meta.namespace for i in fitting))
            raise UsageError(
                f"several ingresses are called {name}", why=f"in the namespaces {where}", hint="say NAMESPACE/NAME"
            )
        if not fitting:
            near = difflib.get_close_matches(
                key or name, [*self.ingresses, *(i.meta.name for i in self.ingresses.values())], n=1
            )
            raise NotFoundError(
                f"there is no ingress {key or name}",
                hint=f"did you mean {near[0]}?" if near else "rancherctl ingress ls",
            )
        return fitting[0]


def look(client: KubeClient) -> World:
    """Read it all. NotFoundError when the API has no roster: it is not one of our environments, or its controller never ran."""
    maps = {m.meta.name: m for m in map(config_map, client.list(CONFIGMAPS, namespace=NAMESPACE).items)}
    if "roster" not in maps:
        raise NotFoundError(
            f"there is no roster of load-balancer hosts in namespace {NAMESPACE}",
            hint="rancherctl env status tells whether the controller runs",
        )
    try:
        roster = Roster.from_json(maps["roster"].data.get("roster", ""))
    except ValueError as error:
        raise RancherctlError(
            "the roster of load-balancer hosts cannot be read", why=str(error), hint="its controller writes it anew"
        ) from error
    sections = {
        name.removeprefix(_REPORT): plan.section(m.data) for name, m in maps.items() if name.startswith(_REPORT)
    }
    return World(
        ingresses={i.meta.key: i for i in map(ingress, client.list(INGRESSES).items)},
        classes={c.meta.name: c for c in map(ingress_class, client.list(INGRESSCLASSES).items)},
        roster=roster,
        reports={host: plan.report(section) for host, section in sections.items()},
        alarms={host: text for host, section in sections.items() if (text := _alarm(section))},
    )


def _alarm(section: Mapping[str, Any]) -> str:
    """What a host says is wrong with its load balancer; a port that another program has is told where nothing worse is."""
    ports = ", ".join(error for _, error in sorted(plan.report(section).ports.items()) if error)
    return str(section.get("error") or section.get("alarm") or ports)


def checked_scale(number: int) -> int:
    """The number of instances; UsageError for one that cannot be asked for."""
    if not 1 <= number <= MAX_SCALE:
        raise UsageError(
            f"{number} instances cannot be asked for", why=f"it must be a whole number from 1 to {MAX_SCALE}"
        )
    return number


def set_scale(client: KubeClient, target: Ingress, number: int) -> Ingress:
    """Ask for ``number`` instances, under the annotation that the Ingress has already; returns what the API stored."""
    name = SCALE_LONG if SCALE_LONG in target.meta.annotations else SCALE
    body = {"metadata": {"annotations": {name: str(checked_scale(number))}}}
    return ingress(client.patch(INGRESSES, target.meta.name, body, namespace=target.meta.namespace))
