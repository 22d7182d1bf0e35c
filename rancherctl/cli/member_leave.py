"""Have a member leave its federation: for `federation leave`, `env label` and `env rm` of a federation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun
from rancherctl.errors import RancherctlError, UnreachableError, UsageError

if TYPE_CHECKING:
    from rancherctl.kube.rest import RestClient

NAMESPACE_SECONDS = 30.0
"""How long a leave waits for the namespace of the federation's accounts to end."""


def check_services(services: str, missing: UsageError | None = None) -> None:
    """UsageError if the value of ``--services`` is not keep or delete: ``missing``; without that, "" is allowed."""
    if services in ("keep", "delete") or (not services and missing is None):
        return
    raise missing or UsageError(f"--services must be keep or delete, not {services!r}")


def leave_member(run: CommandRun, federation: str, member: str, services: str, timeout: float) -> None:
    """Have a member leave, and print the proof; RancherctlError if something is left.

    NotFoundError if neither side knows anything of it; UnreachableError if its API is away, before any change.
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import leave as leaving
    from rancherctl.federation.operator import overview

    with run.progress() as emit, api(run, federation) as hub, _member_api(run, federation, member) as client:
        view = overview.read(hub)
        found = view.members.get(member)
        if found is None and all(gone for gone, _ in leaving.proof(hub, client, federation, member)):
            view.member(member, federation)
        if found is not None:
            if not found.meta.deleting:
                leaving.begin(hub, member, services)
            leaving.wait(hub, member, timeout, emit)
        else:
            leaving.clear_copies(hub, client, federation, services)
        leaving.forget(hub, member)
        leaving.clear(hub, client, federation, emit)
        leaving.wait_gone(client, federation, NAMESPACE_SECONDS)
        checked = leaving.proof(hub, client, federation, member)
    for right, line in checked:
        run.say(f"{'yes' if right else 'NO'}: {line}")
    if not all(right for right, _ in checked):
        raise RancherctlError(f"{member} has not left completely", hint="run the same command again")
    run.say(f"{member} has left {federation}")


@contextmanager
def _member_api(run: CommandRun, federation: str, member: str) -> Iterator[RestClient]:
    """The member's API, asked once; UnreachableError says how a lost member leaves."""
    from rancherctl.cli.api import apis

    with ExitStack() as stack:
        try:
            (client,) = stack.enter_context(apis(run, member))
        except UnreachableError as error:
            lost = f"rancherctl federation leave {member} --services keep --force --federation {federation}"
            error.hint = f"nothing was changed; if {member} is lost for good: {lost}"
            raise
        yield client
