"""Before an environment is removed: members of a federation leave, its names go, and a member must have left it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun
from rancherctl.cli.member_leave import check_services, leave_member
from rancherctl.errors import RancherctlError, RefusedError, UsageError
from rancherctl.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rancherctl.environments.model import Environment

MEMBERS_TIMEOUT = 300.0
"""Seconds for one member to leave."""


def before_removal(run: CommandRun, environment: Environment, *, services: str, force: bool) -> None:
    """RefusedError while members are joined, or while the environment is a member; ``force`` says what stays.

    ``services``: "" or keep, delete: the members of a federation leave first. Its public names are removed.
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
            run.say(
                f"warning: whether {name} has members is unknown ({error}); their copies and accounts and its public "
                "names would stay"
            )
            return
        raise RefusedError(
            f"whether the federation {name} has members is unknown",
            why=str(error),
            hint="start its API and run the same command again; --force removes it anyway",
        ) from error
    listed = ", ".join(members)
    if members and services:
        _leave(run, name, members, services)
    elif members and force:
        run.say(f"warning: {listed} stay as they are: copies and accounts of {name} remain there, and its public names")
        return
    elif members:
        raise RefusedError(
            f"the federation {name} has members: {listed}",
            hint=f"add --services keep or --services delete, or: rancherctl federation leave {members[0]}",
        )
    _release(run, name, force=force)


def _leave(run: CommandRun, name: str, members: Sequence[str], services: str) -> None:
    """All members leave, one after the other; none begins while the API of another one is away."""
    from rancherctl.cli.api import apis

    try:
        with apis(run, *members):
            pass
    except RancherctlError as error:
        lost = f"rancherctl federation leave MEMBER --services {services} --force --federation {name}"
        error.hint = f"nothing was changed; a member that is lost for good leaves first: {lost}"
        raise
    for member in members:
        leave_member(run, name, member, services, MEMBERS_TIMEOUT)


def _release(run: CommandRun, name: str, *, force: bool) -> None:
    """The public names go, with all markers; RefusedError if they do not."""
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import dns

    try:
        with run.progress(), api(run, name) as client:
            gone = dns.release(client)
    except RancherctlError as error:
        if force:
            run.say(f"warning: the public names of {name} may stay: {error}")
            return
        raise RefusedError(
            f"the public names of {name} are not removed",
            why=str(error),
            hint=f"{error.hint}; --force removes {name} anyway, and its names stay".removeprefix("; "),
        ) from error
    if gone:
        run.say(f"{name}: {plural(len(gone), 'public name')} removed")


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
