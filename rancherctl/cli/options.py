"""Options that many commands share, as annotated types: the same spelling, help and completion everywhere.

The metavar tells the completion what to offer: ENV, HOST, INGRESS, FILE, DIR.
"""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.durations import Duration, parse_duration
from rancherctl.errors import UsageError
from rancherctl.settings import FORMATS


def _format(value: str | None) -> str | None:
    if value is not None and value not in FORMATS:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(FORMATS)}")
    return value


def _duration(value: str | Duration) -> Duration:
    try:
        return value if isinstance(value, Duration) else Duration(parse_duration(value))
    except UsageError as error:
        raise typer.BadParameter(f"{error.what}: {error.why} ({error.hint})") from error


EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env", "-e", metavar="ENV", help="The environment; default: RANCHERCTL_ENV, `env use`, or the only one."
    ),
]
ContextOption = Annotated[
    str,
    typer.Option(
        "--context",
        metavar="CONTEXT",
        help="A context of your kubeconfig files instead of an environment: any cluster.",
    ),
]
AllowExecOption = Annotated[
    bool,
    typer.Option(
        "--allow-exec",
        help="With --context: run the plug-in, read the token file that a kubeconfig file names, though the file is not yours.",
    ),
]
EnvArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ENV]", help="The environment's name; default: RANCHERCTL_ENV, `env use`, or the only one."
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FORM", callback=_format, help="table, wide, json, yaml or name. (default: table)"
    ),
]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the change is made.")]
ConfirmOption = Annotated[
    str | None, typer.Option("--confirm", metavar="NAME", help="The name of what is destroyed, instead of typing it.")
]


TimeoutOption = Annotated[
    Duration,
    typer.Option("--timeout", metavar="TIME", parser=_duration, help="Give up after this time, like 90s, 5m or 1h30m."),
]
IdentityOption = Annotated[str, typer.Option("--identity", metavar="FILE", help="The ssh key for the hosts.")]
SshConfigOption = Annotated[
    str, typer.Option("--ssh-config", metavar="FILE", help="An ssh configuration file instead of your own.")
]
JumpOption = Annotated[str, typer.Option("--jump", metavar="[USER@]HOST", help="Reach the hosts through this one.")]
