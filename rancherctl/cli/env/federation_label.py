"""The label ``federation`` of an environment: it joins that federation, and its other labels follow it there.

What prevents a join is said and left for later: the environment stays as it is, and `federation ls` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    leave: Callable[[str], None] | None = None,
) -> None:
    """Join the federation that the label names, and bring changed labels to those that the environment is a member of.

    ``before``: its labels until now. ``timeout``: seconds until the federation uses it; None does not wait. ``leave``
    has it leave a federation that the label no longer names; None: a member stays one, and that is said.
    """
    from rancherctl.environments.labels import FEDERATION

    wanted, had = environment.labels.get(FEDERATION, ""), before.get(FEDERATION, "")
    if environment.is_federation or (not wanted and dict(before) == dict(environment.labels)):
        return
    joined = _federations(run, environment.name)
    if had != wanted and had in joined and leave:
        leave(had)
        joined.remove(had)
    elif had != wanted and had in joined:
        run.say(
            f"warning: {environment.name} is still a member of {had}, although no longer labelled so: "
            f"rancherctl federation leave {environment.name} --services keep --federation {had}"
        )
    removed = tuple(sorted(set(before) - set(environment.labels)))
    for federation in sorted({*joined, *([wanted] if wanted else [])}):
        _join(run, federation, environment, removed, timeout, new=federation not in joined)


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
) -> None:
    from rancherctl.cli.member_join import JoinOptions, join_member

    name = environment.name
    later = f"rancherctl federation join {federation} --env {name}"
    if federation not in run.known().names():
        what = f"{name} has not joined {federation}" if new else f"{federation} does not know the new labels of {name}"
        run.say(f"warning: {what}: {federation} is not known on this machine; where it is: {later}")
        return
    options = JoinOptions(removed_labels=removed, open_default=new, timeout=timeout)
    try:
        changed = join_member(run, federation, environment, options)
    except RancherctlError as error:
        what = f"has not joined {federation} yet" if new else f"could not update its labels in {federation}"
        run.say(f"warning: {name} {what}: {error}\n  then: {later}")
        return
    if changed:
        run.say(f"{name} {f'joined {federation}' if new else f'updated its labels in {federation}'}")
