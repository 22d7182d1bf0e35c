"""Have an environment join a federation: for `federation join`, and for environments with the label ``federation``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun

if TYPE_CHECKING:
    from rancherctl.credentials.registry import Access
    from rancherctl.environments.model import Environment
    from rancherctl.federation.operator.join_checks import Wanted

CONNECT = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    socket.create_connection((host, port), 5).close()
except OSError as error:
    sys.exit(error.strerror or str(error))
"""
"""Runs on the federation's host: whether it reaches the API of a member."""


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """What may be said beside the environment. ``addresses`` () = those of its hosts, or of an earlier join.

    ``removed_labels``: keys that the environment no longer has. ``timeout``: seconds until the federation uses the
    member; None does not wait.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    removed_labels: Sequence[str] = ()
    addresses: Sequence[str] = ()
    open_default: bool = True
    renew: bool = False
    timeout: float | None = None


def join_member(run: CommandRun, federation: str, member: Environment, options: JoinOptions) -> bool:
    """Check everything, then join; whether anything was changed. PreflightError lists all problems."""
    from rancherctl.cli.api import apis
    from rancherctl.federation.operator import join as joining

    with run.progress() as emit, apis(run, federation, member.name) as (hub, client):
        wanted = _wanted(run, federation, member, options)
        changed = joining.join(hub, client, federation, wanted, renew=options.renew, emit=emit)
        if options.timeout is not None:
            joining.wait(hub, member.name, options.timeout)
    return changed


def preview_join(run: CommandRun, federation: str, member: Environment, options: JoinOptions) -> list[str]:
    """What a join would write, one line each; PreflightError lists all problems."""
    from rancherctl.cli.api import apis
    from rancherctl.federation.operator import join as joining
    from rancherctl.federation.operator import join_checks

    with run.progress(), apis(run, federation, member.name) as (hub, client):
        wanted = _wanted(run, federation, member, options)
        seen = joining.observe(hub, client, federation, member.name)
        joining.check(federation, wanted, seen)
        known = [f"warning: {line}" for line in join_checks.warnings(federation, wanted, seen)]
        return [*known, *joining.preview(client, federation, wanted, seen)]


def _wanted(run: CommandRun, federation: str, member: Environment, options: JoinOptions) -> Wanted:
    from rancherctl.credentials.user_stores import user_renewal
    from rancherctl.federation.operator.join_checks import Wanted

    access: Access = user_renewal(run.settings.dirs, run.say).registry.load(member.name)
    return Wanted(
        member.name,
        tuple(dict.fromkeys((access.server, *(f"https://{target}" for target in access.targets)))),
        access.ca,
        {**member.labels, **options.labels},
        tuple(options.addresses),
        options.open_default,
        _reachable(run, run.known().read(federation)),
        tuple(options.removed_labels),
    )


def _reachable(run: CommandRun, federation: Environment) -> Callable[[str], str]:
    """Asks a control-plane host of the federation, the first that can be reached, whether it can connect to an API."""
    from functools import cache

    from rancherctl.errors import UnreachableError
    from rancherctl.hosts.command import command
    from rancherctl.kube.http.tls import ApiEndpoint
    from rancherctl.text import last_line

    hosts = federation.with_role("controlplane")

    @cache
    def ask(server: str) -> str:
        _, name, port, _ = ApiEndpoint(server).parts()
        argv = command("/usr/bin/python3", "-I", "-c", CONNECT, name, str(port), timeout=20)
        with run.connections() as connections:
            for host in hosts:
                try:
                    done = connections.transport(host).run(argv, check=False)
                except UnreachableError:
                    if host is hosts[-1]:
                        raise
                else:
                    break
        return "" if done.ok else last_line(done.stderr, "no connection")

    return ask
