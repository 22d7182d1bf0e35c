"""Before an environment is removed: a federation must have no members, and a member must have left its federation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun
from rancherctl.cli.member_leave import check_services, leave_member
from rancherctl.errors import RancherctlError, RefusedError, UsageError

if TYPE_CHECKING:
    from rancherctl.environments.model import Environment

MEMBERS_TIMEOUT = 300.0
"""Seconds for one member to leave."""


def before_removal(run: CommandRun, environment: Environment, *, services: str, force: bool) -> None:
    """RefusedError while members are joined, or while the environment is a member; ``force`` says what stays.

    ``services``: "" or keep, delete: the members of a federation leave first.
    """
    if services and not environment.is_federation:
        raise UsageError(
            "--services is for federations only", hint=f"{environment.name} is not one: leave out --services"
        )
    check_services(services)
    if environment.is_federation:
        _federation(run, environment.name, services, force=force)
    else:
        _member(run, environment.name, force=force)


def _federation(run: CommandRun, name: str, services: str, *, force: bool) -> None:
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import overview

    try:
        with api(run, name) as client:
            members = sorted(overview.read(client).members)
    except RancherctlError as error:
        if force:
            run.say(f"warning: whether {name} has members is unknown ({error}); their copies and accounts would stay")
            return
        raise RefusedError(
            f"whether the federation {name} has members is unknown",
            why=str(error),
            hint="start its API and run the same command again; --force removes it anyway",
        ) from error
    if not members:
        return
    if services:
        for member in members:
            leave_member(run, name, member, services, MEMBERS_TIMEOUT)
        return
    listed = ", ".join(members)
    if force:
        run.say(f"warning: {listed} stay as they are: copies and accounts of {name} remain there, and its public names")
        return
    raise RefusedError(
        f"the federation {name} has members: {listed}",
        hint=f"add --services keep or --services delete, or: rancherctl federation leave {members[0]}",
    )


def _member(run: CommandRun, name: str, *, force: bool) -> None:
    from rancherctl.cli.api import api
    from rancherctl.federation.operator.join import federations_of

    try:
        with api(run, name) as client:
            federations = federations_of(client)
    except RancherctlError as error:
        # An environment must be removable while its API is gone.
        run.log(f"whether {name} is a member of a federation is unknown: {error}\n")
        return
    if not federations:
        return
    if force:
        run.say(
            f"warning: {name} is a member of {', '.join(federations)}: its addresses stay in the public names until "
            f"`rancherctl federation leave {name} --services keep --force`"
        )
        return
    raise RefusedError(
        f"{name} is a member of the federation {', '.join(federations)}",
        why="its addresses are in the public names",
        hint=f"rancherctl federation leave {name} --services delete --federation {federations[0]}, then run this again",
    )
