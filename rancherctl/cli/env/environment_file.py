"""Which environment a command is about: from ``-f FILE``, from ``--host`` options, or from the known ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rancherctl.cli.context import CommandRun
from rancherctl.cli.env.ssh_login import SshLogin, absolute
from rancherctl.environments.document import MAX_BYTES
from rancherctl.environments.inventory import Loaded, from_flags, load
from rancherctl.environments.model import Environment, FederationSettings
from rancherctl.errors import NotFoundError, UsageError
from rancherctl.hosts.model import Host

READ_LIMIT: Final = MAX_BYTES + 1
"""Characters read of any file: an endless one (a device, a pipe) is then refused as too large."""
_HINT: Final = "-f takes an environment file; see rancherctl help environment"


def requested_environment(run: CommandRun, name: str | None, file: str | None) -> Environment:
    """The environment of ``[NAME] [-f FILE]``: the file's, else the known one. UsageError if the names differ."""
    if not file:
        return run.environment(name)
    environment = from_file(run, file)
    if name and name != environment.name:
        raise UsageError(f"{file} describes environment {environment.name!r}, not {name!r}")
    return environment


def with_firewall(environment: Environment, opened: bool | None) -> Environment:
    """The environment with --open-firewall or --no-open-firewall; unchanged for None."""
    if opened is None:
        return environment
    return replace(environment, network=replace(environment.network, open_firewall=opened))


def from_file(run: CommandRun, file: str) -> Environment:
    """The environment of ``-f FILE`` (``-`` = standard input); warnings go to standard error."""
    path = Path() if file == "-" else Path(absolute(file))
    try:
        if file == "-":
            text = sys.stdin.read(READ_LIMIT)
        else:
            with path.open(encoding="utf-8") as opened:
                text = opened.read(READ_LIMIT)
    except FileNotFoundError as error:
        hint = "-f takes an environment file, or - for standard input"
        raise NotFoundError(f"{file}: no such file", hint=hint) from error
    except OSError as error:
        raise UsageError(f"cannot read {file}", why=error.strerror or str(error), hint=_HINT) from error
    except UnicodeDecodeError as error:
        why = f"not valid UTF-8: {error.reason} at byte {error.start}"
        raise UsageError(f"cannot read {file}", why=why, hint=_HINT) from error
    return expand_paths(_show_warnings(run, load(text, "standard input" if file == "-" else file)), path.parent)


def from_hosts(
    run: CommandRun,
    name: str,
    hosts: Sequence[str],
    version: str,
    login: SshLogin,
    federation: FederationSettings | None = None,
) -> Environment:
    """The environment of ``NAME --host …``."""
    loaded = from_flags(name, hosts, version=version, ssh=login.address(), federation=federation)
    return _show_warnings(run, loaded)


def expand_paths(environment: Environment, base: Path) -> Environment:
    """The environment with absolute ssh paths.

    ``~`` is the operator's home, relative ones start at ``base``, the file's folder.
    """

    def expand(host: Host) -> Host:
        identity, config, known_hosts = (
            absolute(path, base) for path in (host.ssh.identity, host.ssh.config, host.ssh.known_hosts)
        )
        return replace(host, ssh=replace(host.ssh, identity=identity, config=config, known_hosts=known_hosts))

    return replace(environment, hosts=tuple(expand(host) for host in environment.hosts))


def _show_warnings(run: CommandRun, loaded: Loaded) -> Environment:
    for warning in loaded.warnings:
        run.say(f"warning: {warning}")
    return loaded.environment
