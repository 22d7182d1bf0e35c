"""The label ``federation`` of an environment: it joins that federation, and its other labels follow it there.

What prevents a join is said and left for later: the environment stays as it is, and `federation ls` shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun
from rancherctl.errors import RancherctlError

if TYPE_CHECKING:
    from rancherctl.environments.model import Environment


def follow(
    run: CommandRun,
    environment: Environment,
    before: Mapping[str, str],
    timeout: float | None,
    removed: Collection[str] | None = None,
) -> dict[str, str]:
    """Join the federation that the label names, and bring changed labels to those that the environment is a member of.

    ``before``: its labels until now. ``timeout``: seconds until the federation uses it; None does not wait. A member of
    a federation that the label no longer names stays one, and that is said. ``removed``: keys that people asked to
    remove; None: nothing is done if no label has changed. Returns the federations that could not be given the labels of
    their member, with the reason (one line).
    """
    from rancherctl.environments.labels import FEDERATION

    wanted, had = environment.labels.get(FEDERATION, ""), before.get(FEDERATION, "")
    same = removed is None and not wanted and dict(before) == dict(environment.labels)
    if environment.is_federation or same:
        return {}
    joined = _federations(run, environment.name)
    if had != wanted and had in joined:
        run.say(
            f"warning: {environment.name} is still a member of {had}, although no longer labelled so: "
            f"rancherctl federation leave {environment.name} --services keep --federation {had}"
        )
    gone = tuple(sorted({*before, *(removed or ())} - set(environment.labels)))
    every = sorted({*joined, *([wanted] if wanted else [])})
    missed = {f: _join(run, f, environment, gone, timeout, new=f not in joined) for f in every}
    return {federation: why for federation, why in missed.items() if why and federation in joined}


def leave(run: CommandRun, name: str, federation: str, services: str, timeout: float) -> None:
    """Have an environment leave a federation, if it is a member; errors are raised before its labels change."""
    from rancherctl.cli.api import apis
    from rancherctl.cli.member_leave import leave_member
    from rancherctl.federation.operator.join import federations_of

    with apis(run, name) as (client,):
        member = federation in federations_of(client)
    if member:
        leave_member(run, federation, name, services, timeout)


def _federations(run: CommandRun, name: str) -> list[str]:
    """Federations that have accounts in an environment; [] with a warning if its API does not say."""
    from rancherctl.cli.api import api
    from rancherctl.federation.operator.join import federations_of

    try:
        with api(run, name) as client:
            return federations_of(client)
    except RancherctlError as error:
        run.say(f"warning: which federations {name} is a member of is unknown: {error}")
        return []


def _join(
    run: CommandRun,
    federation: str,
    environment: Environment,
    removed: tuple[str, ...],
    timeout: float | None,
    *,
    new: bool,
) -> str:
    """Join, or bring the labels; why a federation that is known on this machine could not be used, "" if it could."""
    from rancherctl.cli.member_join import JoinOptions, join_member

    name = environment.name
    later = f"rancherctl federation join {federation} --env {name}"
    if federation not in run.known().names():
        what = f"{name} has not joined {federation}" if new else f"{federation} does not know the new labels of {name}"
        run.say(f"warning: {what}: {federation} is not known on this machine; where it is: {later}")
        return ""
    options = JoinOptions(removed_labels=removed, open_default=new, timeout=timeout)
    try:
        changed = join_member(run, federation, environment, options)
    except RancherctlError as error:
        what = f"has not joined {federation} yet" if new else f"could not update its labels in {federation}"
        run.say(f"warning: {name} {what}: {error}\n  then: {later}")
        return str(error)
    if changed:
        run.say(f"{name} {f'joined {federation}' if new else f'updated its labels in {federation}'}")
    return ""
