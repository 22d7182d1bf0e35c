"""``rancherctl env label``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.labels import label_changes
from rancherctl.cli.options import NoWaitOption, OutputOption, TimeoutOption
from rancherctl.errors import PartialError, UsageError
from rancherctl.text import and_more

TWO_MINUTES = Duration(120)


def label(
    changes: Annotated[
        list[str],
        typer.Argument(metavar="[ENV] KEY=VALUE|KEY- ...", help="Labels to set, and keys with a - to remove."),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Change labels that have another value already.")
    ] = False,
    services: Annotated[
        str,
        typer.Option(
            "--services",
            metavar="keep|delete",
            help="With federation-: what happens to the federation's copies; the environment leaves it.",
        ),
    ] = "",
    timeout: TimeoutOption = TWO_MINUTES,
    no_wait: NoWaitOption = False,
    output: OutputOption = None,
) -> None:
    """Set or remove labels of an environment, by which federations choose their members.

    The labels are stored in the environment, as by `rancherctl env apply`. If its file is kept elsewhere, change its
    metadata.labels, too. A federation that the environment is a member of uses the new labels at once.

    The label federation=NAME makes the environment a member of that federation; removing it lets it leave.

    \b
    Examples:
      rancherctl env label frankfurt env=prod tier=gold
      rancherctl env label frankfurt tier-
      rancherctl env label paris federation=acme
      rancherctl env label paris federation- --services keep
    """
    from dataclasses import replace

    from rancherctl.cli.api import api
    from rancherctl.cli.env import federation_label
    from rancherctl.cli.member_leave import check_services
    from rancherctl.environments.dump import document
    from rancherctl.environments.labels import FEDERATION, relabelled, store
    from rancherctl.output.results import Record

    run = current(output=output)
    name, wanted, removed = label_changes(changes)
    environment = run.environment(name)
    leaves = FEDERATION in removed and environment.labels.get(FEDERATION, "")
    if leaves:
        unsaid = UsageError(
            f"without the label {FEDERATION}, {environment.name} leaves the federation {leaves}",
            why="what happens to its copies must be said",
            hint="add --services keep or --services delete",
        )
        check_services(services, unsaid)
    elif services:
        raise UsageError(f"--services is for removing the label {FEDERATION}", hint="leave out --services")
    if leaves:
        relabelled(environment.labels, wanted, removed, overwrite=overwrite)  # refuses before anything is changed
        federation_label.leave(run, environment.name, leaves, services, timeout)
    with api(run, environment.name) as client:
        labels = store(client, lambda stored: relabelled(stored, wanted, removed, overwrite=overwrite))
    after = replace(environment, labels=labels)
    run.known().save(after)
    run.show(Record("Environment", document(after), text=f"{after.name}: {_text(labels)}\n", name=after.name))
    missed = federation_label.follow(run, after, environment.labels, None if no_wait else timeout, removed=removed)
    if missed:
        raise PartialError(
            f"the labels of {after.name} are stored, but {and_more(sorted(missed))} could not be given them",
            missed,
            hint="run the same command again",
        )


def _text(labels: Mapping[str, str]) -> str:
    return f"labels {', '.join(f'{k}={v}' for k, v in sorted(labels.items()))}" if labels else "no labels"
