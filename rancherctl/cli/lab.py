"""``rancherctl lab``: throw-away hosts on this machine."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import OutputOption

if TYPE_CHECKING:
    from rancherctl.lab.paths import Roots
    from rancherctl.settings import Settings

app = noun("Make throw-away Debian hosts on this Linux machine, to try things on. Needs root.")
host_app = noun("Power and network cable of one lab host.")
app.add_typer(host_app, name="host")

DEFAULT = "lab"
NameOption = Annotated[str, typer.Option("--name", metavar="LAB", help="Name of the lab; several run side by side.")]
HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="h1, h2 and so on.")]


def roots(settings: Settings) -> Roots:
    """Where labs and root trees are: the fixed places of the machine, or trees below RANCHERCTL_CACHE_DIR."""
    from rancherctl.lab.paths import CACHE_ROOT, Roots

    return Roots(cache=settings.cache or CACHE_ROOT)


@app.command()
def up(
    *,
    hosts: Annotated[int, typer.Option("--hosts", help="How many hosts.")] = 4,
    name: NameOption = DEFAULT,
    subnets: Annotated[int, typer.Option("--subnets", help="1 or 2; hosts of the second are reached through h1.")] = 1,
    bare: Annotated[bool, typer.Option("--bare", help="Hosts without haproxy, bind9, runc, conntrack and nftables; apt can install them.")] = False,
    system: Annotated[str, typer.Option("--os", metavar="OS", help="debian12 or debian13.")] = "debian13",
    mirror: Annotated[str, typer.Option("--mirror", metavar="URL", help="Debian mirror; default: those of this machine's apt.")] = "",
) -> None:
    """Create a lab, or complete and start the one that is there.

    \b
    Examples:
      rancherctl lab up --hosts 4
      rancherctl lab up --name two --hosts 3 --subnets 2 --bare --os debian12
    """
    from rancherctl.lab import ops
    from rancherctl.lab.model import LabSpec, system_named
    from rancherctl.lab.steps import Steps

    run = current()
    spec = LabSpec(name, hosts, subnets, bare, system_named(system))
    with run.progress() as emit:
        ops.up(spec, roots(run.settings), Steps(emit), mirror)
    run.next(f"rancherctl lab status {name}", f"rancherctl lab ssh h1 --name {name}", f"rancherctl lab down --name {name}")


@app.command("status")
def show_status(
    name: Annotated[str, typer.Argument(metavar="[LAB]", help="One lab; default: all.")] = "",
    name_option: Annotated[str, typer.Option("--name", metavar="LAB", help="The same as an option.")] = "",
    output: OutputOption = None,
) -> None:
    """Show hosts, addresses and whether they run.

    \b
    Examples:
      rancherctl lab status
      rancherctl lab status demo -o json
    """
    from rancherctl.lab import state, status
    from rancherctl.output.results import Column, Listing

    run = current(output=output)
    where = roots(run.settings)
    chosen = name or name_option
    rows = [row for lab in ([chosen] if chosen else state.names(where)) for row in status.lab_status(lab, where)]
    columns = (*(Column(key.upper(), key) for key in ("lab", "name", "address", "state", "os", "variant", "via")), Column("PID", "pid", wide=True))
    run.show(Listing("LabHost", [dataclasses.asdict(row) for row in rows], columns, empty="no lab on this machine"))


@app.command()
def down(
    name: NameOption = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="All labs of this machine.")] = False,
) -> None:
    """Remove a lab: hosts, networks and files. Root trees stay in the cache.

    \b
    Examples:
      rancherctl lab down
      rancherctl lab down --name two
      rancherctl lab down --all
    """
    from rancherctl.lab import ops, state
    from rancherctl.lab.steps import Steps

    run = current()
    where = roots(run.settings)
    with run.progress() as emit:
        for lab in state.names(where) if every else (name,):
            ops.down(lab, where, Steps(emit))


@app.command()
def ssh(
    host: HostArgument,
    command: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Run this; default: a shell.")] = None,
    name: NameOption = DEFAULT,
) -> None:
    """Log in to a lab host as root.

    \b
    Examples:
      rancherctl lab ssh h1
      rancherctl lab ssh h2 --name two -- systemctl --failed
    """
    from rancherctl.lab import access, state

    where = roots(current().settings)
    found = state.load(where, name)[0].host(host)
    argv = access.ssh_argv(where.lab(name), found, *(command or ()))
    os.execvp(argv[0], argv)  # noqa: S606  (ssh takes over the terminal and the exit code)


@host_app.command("stop")
def host_stop(host: HostArgument, name: NameOption = DEFAULT) -> None:
    """Power a host off hard, as if its plug was pulled.

    \b
    Examples:
      rancherctl lab host stop h3
    """
    from rancherctl.lab import ops
    from rancherctl.lab.steps import Steps

    run = current()
    with run.progress() as emit:
        ops.stop(name, host, roots(run.settings), Steps(emit))


@host_app.command("start")
def host_start(host: HostArgument, name: NameOption = DEFAULT) -> None:
    """Power a host on with the disk it had.

    \b
    Examples:
      rancherctl lab host start h3
    """
    from rancherctl.lab import ops
    from rancherctl.lab.steps import Steps

    run = current()
    with run.progress() as emit:
        ops.start(name, host, roots(run.settings), Steps(emit))


@host_app.command("cut")
def host_cut(host: HostArgument, name: NameOption = DEFAULT) -> None:
    """Pull a host's network cable.

    \b
    Examples:
      rancherctl lab host cut h2 --name two
    """
    _cable(name, host, plugged=False)


@host_app.command("heal")
def host_heal(host: HostArgument, name: NameOption = DEFAULT) -> None:
    """Plug a host's network cable in again.

    \b
    Examples:
      rancherctl lab host heal h2 --name two
    """
    _cable(name, host, plugged=True)


def _cable(name: str, host: str, *, plugged: bool) -> None:
    from rancherctl.lab import ops
    from rancherctl.lab.steps import Steps

    run = current()
    with run.progress() as emit:
        ops.cable(name, host, roots(run.settings), Steps(emit), plugged=plugged)
