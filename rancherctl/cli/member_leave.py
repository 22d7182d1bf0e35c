"""Have a member leave its federation: for `federation leave`, and for `env rm` of a federation."""

from __future__ import annotations

from rancherctl.cli.context import CommandRun
from rancherctl.errors import RancherctlError

NAMESPACE_SECONDS = 30.0
"""How long a leave waits for the namespace of the federation's accounts to end."""


def leave_member(run: CommandRun, federation: str, member: str, services: str, timeout: float) -> None:
    """Have a member leave, and print the proof; RancherctlError if something is left."""
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import leave as leaving
    from rancherctl.federation.operator import overview

    with run.progress() as emit, api(run, federation) as hub, api(run, member) as client:
        found = overview.read(hub).members.get(member)
        if found is not None:
            if not found.meta.deleting:
                leaving.begin(hub, member, services)
            leaving.wait(hub, member, timeout, emit)
        leaving.forget(hub, member)
        leaving.clear(hub, client, federation, emit)
        leaving.wait_gone(client, federation, NAMESPACE_SECONDS)
        checked = leaving.proof(hub, client, federation, member)
    for right, line in checked:
        run.say(f"{'yes' if right else 'NO'}: {line}")
    if not all(right for right, _ in checked):
        raise RancherctlError(f"{member} has not left completely", hint="run the same command again")
    run.say(f"{member} has left {federation}")
