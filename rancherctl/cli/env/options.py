"""Options that several commands of ``env`` share."""

from __future__ import annotations

from typing import Annotated

import typer

FileOption = Annotated[
    str | None,
    typer.Option("--file", "-f", metavar="FILE", help="The environment file; - reads standard input."),
]
BundleOption = Annotated[
    str | None,
    typer.Option(
        "--bundle",
        metavar="BUNDLE",
        help="Bundle to install from: official, modules or a directory. (default: the last one used)",
    ),
]
OpenFirewallOption = Annotated[
    bool | None,
    typer.Option(
        "--open-firewall/--no-open-firewall",
        help="Add rules to the hosts' firewalls that accept the other hosts and pods, or remove them."
        " (default: spec.network.openFirewall)",
    ),
]
BreakLockOption = Annotated[bool, typer.Option("--break-lock", help="Take the lock even if another process holds it.")]
