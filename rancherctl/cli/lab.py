"""``rancherctl lab``: disposable hosts on this machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from rancherctl.cli.completion_names import remember_names
from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import OutputOption
from rancherctl.errors import NotFoundError, PartialError, RancherctlError
from rancherctl.lab import access, machine, ops, state, status
from rancherctl.lab.model import DEFAULT_HOSTS, DEFAULT_NAME, asked
from rancherctl.lab.paths import Roots
from rancherctl.lab.steps import Steps
from rancherctl.output.results import Column, Failure, Listing
from rancherctl.text import plural

app = noun(
    "Run disposable Debian hosts on this Linux machine (requires root).",
    "rancherctl lab up --hosts 4",
    "rancherctl lab status",
    "rancherctl lab down",
)
host_app = noun(
    "Power a host on or off, connect or disconnect its network.",
    "rancherctl lab host stop h2",
    "rancherctl lab host start h2",
)
app.add_typer(host_app, name="host")


class System(StrEnum):
    """Operating systems of lab hosts."""

    debian12 = "debian12"
    debian13 = "debian13"


class HostFirewall(StrEnum):
    """Firewalls of lab hosts."""

    nft = "nft"
    ufw = "ufw"
    firewalld = "firewalld"


Name = Annotated[
    str, typer.Option("--name", metavar="LAB", help="Name of the lab; several labs can run at the same time.")
]
HostName = Annotated[str, typer.Argument(metavar="HOST", help="Name of the host: h1, h2 and so on.")]
COLUMNS = (
    Column("LAB", "lab"),
    Column("HOST", "name"),
    Column("ADDRESS", "address"),
    Column("STATE", "state"),
    Column("OS", lambda row: f"{row['os']}-{row['variant']}"),
    Column("VIA", "via"),
    Column("FIREWALL", "firewall", wide=True),
    Column("POD-FILTER", "filter_pod_sources", wide=True),
    Column("PID", "pid", wide=True),
)


def _roots(run: CommandRun) -> Roots:
    return Roots(cache=run.settings.cache.absolute()) if run.settings.cache else Roots()


@contextmanager
def _work() -> Iterator[tuple[CommandRun, Roots, Steps]]:
    run = current()
    with run.progress() as emit:
        yield run, _roots(run), Steps(emit)


@app.command()
def up(
    hosts: Annotated[
        int | None,
        typer.Option(
            "--hosts", metavar="N", help=f"Number of hosts. (default: unchanged, {DEFAULT_HOSTS} for a new lab)"
        ),
    ] = None,
    name: Name = DEFAULT_NAME,
    subnets: Annotated[
        int | None,
        typer.Option(
            "--subnets",
            metavar="N",
            help="Number of subnets, 1 or 2; hosts of the second are reached through h1. (default: 1)",
        ),
    ] = None,
    bare: Annotated[
        bool | None,
        typer.Option(
            "--bare", help="Create hosts without haproxy, bind9, runc, conntrack and nftables; apt can install them."
        ),
    ] = None,
    system: Annotated[
        System | None, typer.Option("--os", help="Debian release of the hosts. (default: debian13)")
    ] = None,
    firewall: Annotated[
        HostFirewall | None,
        typer.Option(
            "--firewall",
            help="Firewall of the hosts, which allows only ssh and the lab's subnets. (default: none)",
        ),
    ] = None,
    filter_pod_sources: Annotated[
        bool | None,
        typer.Option(
            "--filter-pod-sources/--no-filter-pod-sources",
            help="Drop packets with pod source addresses between hosts, as some clouds and switches do."
            " (default: unchanged, off for a new lab)",
        ),
    ] = None,
    mirror: Annotated[
        str, typer.Option("--mirror", metavar="URL", help="Debian mirror. (default: this machine's apt mirror)")
    ] = "",
) -> None:
    """Create a lab, or start an existing one; a larger --hosts adds hosts.

    \b
    Examples:
      rancherctl lab up --hosts 4
      rancherctl lab up --name two --hosts 3 --subnets 2 --bare
      rancherctl lab up --name site --firewall ufw --filter-pod-sources
    """
    with _work() as (run, roots, steps):
        have = state.spec_of(roots, name)
        spec = asked(
            name, have, hosts=hosts, subnets=subnets, bare=bare, os=system.value if system else None,
            firewall=firewall.value if firewall else None, filter_pod_sources=filter_pod_sources,
        )  # fmt: skip
        ops.up(spec, roots, steps, mirror)
    remember_names(run.settings, "labs", state.names(roots))
    hosts_given = " ".join(f"--host root@{host.address}" for host in state.load(roots, name)[0].hosts)
    bundle = "" if run.settings.bundle else " --bundle official"
    run.next(
        f"rancherctl lab status --name {name}",
        f"rancherctl lab ssh h1 --name {name}",
        f"rancherctl env create {name} --ssh-config {roots.lab(name).ssh_config} {hosts_given}{bundle}",
    )


def _of_all(roots: Roots) -> tuple[list[status.LabHostStatus], list[Failure]]:
    """Hosts of all labs, and labs that cannot be read; a lab that is removed meanwhile is not a failure."""
    rows, failures = list[status.LabHostStatus](), list[Failure]()
    for name in state.names(roots):
        try:
            rows += status.lab_status(name, roots)
        except NotFoundError:
            continue
        except RancherctlError as error:
            failures.append(Failure(name, str(error)))
    return rows, failures


@app.command("status")
def show_status(
    name: Annotated[str, typer.Option("--name", metavar="LAB", help="Show one lab. (default: all)")] = "",
    output: OutputOption = None,
) -> None:
    """Show the hosts of labs, their addresses and state.

    \b
    Examples:
      rancherctl lab status
      rancherctl lab status --name two -o json
    """
    run = current(output=output)
    roots = _roots(run)
    found, failures = (status.lab_status(name, roots), []) if name else _of_all(roots)
    rows = [dataclasses.asdict(row) for row in found]
    hint = " && ".join(f"rancherctl lab down --name {failure.where}" for failure in failures)
    run.show(
        Listing(
            "LabHost", rows, COLUMNS, name=lambda row: f"{row['lab']}/{row['name']}",
            failures=tuple(failures), hint=hint,
            empty="no labs found; create one with rancherctl lab up",
        )
    )  # fmt: skip


@app.command()
def down(
    name: Name = DEFAULT_NAME,
    every: Annotated[bool, typer.Option("--all", help="Remove all labs of this machine.")] = False,
) -> None:
    """Remove a lab: hosts, networks and files. Root file systems stay in the cache.

    \b
    Examples:
      rancherctl lab down
      rancherctl lab down --name two
      rancherctl lab down --all
    """
    with _work() as (run, roots, steps):
        if every:
            _down_all(roots, steps)
        elif not ops.down(name, roots, steps):
            run.say(f"lab {name!r} not found; nothing to do")
    remember_names(run.settings, "labs", state.names(roots))


def _down_all(roots: Roots, steps: Steps) -> None:
    """Remove all labs; a failure does not stop the others."""
    failures: dict[str, str] = {}
    for lab in state.names(roots):
        try:
            ops.down(lab, roots, steps)
        except RancherctlError as error:
            failures[lab] = str(error)
    if failures:
        raise PartialError(f"{plural(len(failures), 'lab')} not removed", failures, hint="run the same command again")


@app.command(context_settings={"ignore_unknown_options": True})
def ssh(
    host: HostName,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]", help="Command to run. (default: a login shell)")
    ] = None,
    name: Name = DEFAULT_NAME,
) -> None:
    """Open a shell or run a command on a host, as root, over ssh.

    \b
    Examples:
      rancherctl lab ssh h1
      rancherctl lab ssh --name two h2 systemctl status
    """
    from rancherctl.cli.exec_replace import exec_replace

    machine.require_root()
    roots = _roots(current())
    found = state.load(roots, name)[0].host(host)
    exec_replace(access.ssh_argv(roots.lab(name), found, *(command or ())))


@host_app.command("stop")
def host_stop(host: HostName, name: Name = DEFAULT_NAME) -> None:
    """Power a host off immediately, without a shutdown.

    \b
    Examples:
      rancherctl lab host stop h2
      rancherctl lab host stop h2 --name two
    """
    with _work() as (_run, roots, steps):
        ops.stop(name, host, roots, steps)


@host_app.command("start")
def host_start(host: HostName, name: Name = DEFAULT_NAME) -> None:
    """Power a host on, with its disk unchanged.

    \b
    Examples:
      rancherctl lab host start h2
      rancherctl lab host start h2 --name two
    """
    with _work() as (_run, roots, steps):
        ops.start(name, host, roots, steps)


@host_app.command("cut")
def host_cut(host: HostName, name: Name = DEFAULT_NAME) -> None:
    """Disconnect a host from its network.

    \b
    Examples:
      rancherctl lab host cut h2
      rancherctl lab host cut h2 --name two
    """
    with _work() as (_run, roots, steps):
        ops.cable(name, host, roots, steps, plugged=False)


@host_app.command("heal")
def host_heal(host: HostName, name: Name = DEFAULT_NAME) -> None:
    """Reconnect a host to its network.

    \b
    Examples:
      rancherctl lab host heal h2
      rancherctl lab host heal h2 --name two
    """
    with _work() as (_run, roots, steps):
        ops.cable(name, host, roots, steps, plugged=True)
