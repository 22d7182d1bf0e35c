"""What ``env rm`` would take off its hosts: everything of ours that is there now. Nothing is changed, and no lock is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.environments.remove import concerned, leftovers
from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import script
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host

OWNED = f"{places.DATA}/owned.json"
"""What a host remembers of packages that came by us."""


@dataclass(frozen=True, slots=True)
class Removal:
    """``present``: host → lines such as ``unit rancherctl-agent.service``; ``unknown``: host → why it could not be asked; ``skipped``: hosts that
    are nobody's, and in use by others."""

    environment: str
    present: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def look(environment: Environment, context: Context) -> Removal:
    """Ask every host. ConflictError for a host of another environment, as the removal itself would."""
    hosts, failures, strange = concerned(environment, context)
    found = each(
        hosts,
        lambda host: _present(environment, host, context),
        context.parallel,
        interrupted=context.observing_interrupted,
    )
    unknown = failures | {name: str(outcome.error) for name, outcome in found.items() if outcome.error is not None}
    return Removal(
        environment.name, {name: outcome.get() for name, outcome in found.items() if outcome.ok}, unknown, strange
    )


def _present(environment: Environment, host: Host, context: Context) -> tuple[str, ...]:
    said = context.transport(host).run(script('echo; test ! -e "$1" || cat "$1"', OWNED)).stdout
    records = [line for line in said.splitlines() if line.startswith(b"{")]  # a login may print a greeting before it
    try:
        names = json.loads(records[-1])["packages"] if records else ()
    except KeyError:
        names = ()
    except (ValueError, TypeError) as error:
        raise RancherctlError(f"{host.name}: {OWNED} is damaged", why=str(error)) from error
    return (*leftovers(environment, context, host, {}), *(f"package {name}" for name in names))
