"""Options of the federation's commands, and which federation is meant."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import CommandRun
from rancherctl.errors import NotFoundError, UsageError

FederationOption = Annotated[
    str,
    typer.Option("--federation", metavar="ENV", help="The federation. (default: the only one known on this machine)"),
]


def federation_name(run: CommandRun, name: str) -> str:
    """The federation that is meant: ``name``, else RANCHERCTL_ENV if it is one, else the only known one."""
    known = run.known()
    if name:
        if not known.read(name).is_federation:
            raise UsageError(f"environment {name!r} is not a federation", hint="rancherctl federation create makes one")
        return name
    found = [each for each in known.names() if known.read(each).is_federation]
    if run.settings.env in found:
        return str(run.settings.env)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(
            "no federation is known on this machine",
            hint="create one: rancherctl federation create; or get one back: rancherctl env fetch USER@HOST",
        )
    raise UsageError(f"several federations are known: {', '.join(found)}", hint="choose one with --federation")
