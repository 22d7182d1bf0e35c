"""Options that many commands share, as annotated types: the same spelling, help and completion everywhere.

The metavar (ENV, HOST, INGRESS, FILE, DIR …) selects what completion offers; see cli/docs/completion_places.py.
"""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.durations import Duration, parse_duration
from rancherctl.errors import UsageError
from rancherctl.hosts.model import SSH_CLIENTS
from rancherctl.settings import FORMATS


def _format(value: str | None) -> str | None:
    if value is not None and value not in FORMATS:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(FORMATS)}.")
    return value


def duration_value(value: str | Duration) -> Duration:
    try:
        return value if isinstance(value, Duration) else Duration(parse_duration(value))
    except UsageError as error:
        raise typer.BadParameter(f"{error.what}: {error.why} ({error.hint})") from error


EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env",
        "-e",
        metavar="ENV",
        help="The environment. (default: RANCHERCTL_ENV, then `env use`, then the only one)",
    ),
]
ContextOption = Annotated[
    str,
    typer.Option(
        "--context",
        metavar="CONTEXT",
        help="Use a context of your kubeconfig files instead of an environment.",
    ),
]
AllowExecOption = Annotated[
    bool,
    typer.Option(
        "--allow-exec",
        help="With --context: run the credential plug-in of a kubeconfig file that is not your own.",
    ),
]
EnvArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ENV]", help="Name of the environment. (default: RANCHERCTL_ENV, then `env use`, then the only one)"
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan without changing anything.")]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORM",
        callback=_format,
        help="Output format: table, wide, json, yaml or name. (default: table)",
    ),
]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Return without waiting for the result.")]
ConfirmOption = Annotated[
    str | None, typer.Option("--confirm", metavar="NAME", help="Confirm the removal by name, without a prompt.")
]


TimeoutOption = Annotated[
    Duration,
    typer.Option("--timeout", metavar="TIME", parser=duration_value, help="Time limit, such as 90s, 5m or 1h30m."),
]


def _ssh_client(value: str) -> str:
    if value and value not in SSH_CLIENTS:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(SSH_CLIENTS)}.")
    return value


IdentityOption = Annotated[str, typer.Option("--identity", metavar="FILE", help="The ssh private key for the hosts.")]
SshConfigOption = Annotated[
    str, typer.Option("--ssh-config", metavar="FILE", help="The ssh configuration file. (default: your own)")
]
JumpOption = Annotated[
    str, typer.Option("--jump", metavar="[USER@]HOST", help="Connect to the hosts through this jump host.")
]
SshClientOption = Annotated[
    str,
    typer.Option(
        "--ssh-client",
        metavar="CLIENT",
        callback=_ssh_client,
        help="Connect with auto, paramiko or openssh. (default: auto)",
    ),
]
