"""What ``env rm`` would remove: everything of the environment on its hosts now. Changes nothing, takes no lock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.environments.removal.concerned import concerned_hosts
from rancherctl.environments.removal.requests import leftovers
from rancherctl.errors import RancherctlError
from rancherctl.hosts import firewall_rules
from rancherctl.hosts.command import script
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host

OWNED: Final = f"{places.DATA}/owned.json"
"""A host's record of the packages that rancherctl installed."""


@dataclass(frozen=True, slots=True)
class RemovalPreview:
    """``present``: host → lines such as ``unit rancherctl-agent.service``.

    ``unknown``: host → why it could not be read.
    ``skipped``: hosts without anything of the environment, on which other software runs.
    """

    environment: str
    present: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def preview(environment: Environment, context: Context) -> RemovalPreview:
    """List what exists on every host. ConflictError if a host belongs to another environment, like the removal."""
    concerned = concerned_hosts(environment, context)
    found = each(
        concerned.hosts,
        lambda host: _present(environment, host, context),
        context.parallel,
        interrupted=context.observing_interrupted,
    )
    failed = {name: str(outcome.error) for name, outcome in found.items() if outcome.error is not None}
    present = {name: outcome.get() for name, outcome in found.items() if outcome.ok}
    return RemovalPreview(environment.name, present, {**concerned.failures, **failed}, concerned.skipped)


def _present(environment: Environment, host: Host, context: Context) -> tuple[str, ...]:
    output = context.transport(host).run(script('echo; test ! -e "$1" || cat "$1"', OWNED)).stdout
    # a login may print a greeting first
    records = [line for line in output.splitlines() if line.startswith(b"{")]
    try:
        names = json.loads(records[-1])["packages"] if records else ()
    except KeyError:
        names = ()
    except (ValueError, TypeError) as error:
        raise RancherctlError(f"{host.name}: {OWNED} is damaged", why=str(error)) from error
    rules = firewall_rules.plan(firewall_rules.read(context.transport(host)), (), "")
    return (
        *leftovers(environment, context, host, {}),
        *(f"firewall rule {rule.name}" for rule in rules),
        *(f"package {name}" for name in names),
    )
