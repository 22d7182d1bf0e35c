"""What the verbs of ``env`` share: which file is meant, and the library's context for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rancherctl.bundle.create import MODULES, OFFICIAL
from rancherctl.bundle.model import Bundle, manifest
from rancherctl.bundle.resolve import resolve
from rancherctl.cli.context import Run
from rancherctl.environments import syntax
from rancherctl.environments.context import Context
from rancherctl.environments.document import MAX_BYTES
from rancherctl.environments.inventory import Loaded, from_flags, load
from rancherctl.environments.model import Environment
from rancherctl.errors import NotFoundError, UsageError
from rancherctl.events import Emit
from rancherctl.hosts.model import Host, SshAddress


@dataclass(frozen=True, slots=True)
class Login:
    """How hosts given by ``--host`` are reached: paths as typed, "" = not said."""

    identity: str = ""
    config: str = ""
    jump: str = ""

    def address(self) -> SshAddress:
        """Defaults for every host."""
        return SshAddress("", identity=_path(self.identity), config=_path(self.config), jump=self.jump)


def _path(text: str, base: Path = Path()) -> str:
    """An absolute path: the copy of the file that is kept is used from anywhere. ``base`` is where a relative one begins."""
    try:
        return str((base / Path(text).expanduser()).absolute()) if text else ""
    except RuntimeError as error:
        raise UsageError(f"{text}: there is no such home folder", hint="write the whole path") from error


TOO_LONG: Final = MAX_BYTES + 1
"""So much is read of a file, whatever it is: one that never ends is refused like one that is too big."""
_WANTED: Final = "-f takes the environment's file; rancherctl help environment describes it"


def from_file(run: Run, file: str) -> Environment:
    """The environment of ``-f FILE`` (``-`` = standard input); warnings go to standard error."""
    place = Path() if file == "-" else Path(_path(file))
    try:
        if file == "-":
            text = sys.stdin.read(TOO_LONG)
        else:
            with place.open(encoding="utf-8") as opened:
                text = opened.read(TOO_LONG)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{file}: no such file", hint="-f takes the environment's file, - standard input"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {file}", why=error.strerror or str(error), hint=_WANTED) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"cannot read {file}", why=f"it is no text in UTF-8: {error.reason} at byte {error.start}", hint=_WANTED
        ) from error
    return expanded(_told(run, load(text, "standard input" if file == "-" else file)), place.parent)


def from_hosts(run: Run, name: str, hosts: Sequence[str], version: str, login: Login) -> Environment:
    """The environment of ``NAME --host …``."""
    return _told(run, from_flags(name, hosts, version=version, ssh=login.address()))


def target_address(target: str, login: Login) -> SshAddress:
    """``[USER@]HOST[:PORT]`` with the login options; UsageError for what cannot be one."""
    user, _, place = target.rpartition("@")
    host, port = syntax.host_and_port(place)
    if not host or syntax.ssh_host(host) or user.startswith("-") or syntax.port(port):
        raise UsageError(
            f"{target!r} is no host", hint="write [USER@]HOST[:PORT], an IPv6 address with a port in brackets"
        )
    return replace(login.address(), host=host, user=user, port=int(port) if port else 0)


def with_login(environment: Environment, login: Login) -> Environment:
    """The environment, its hosts reached by these options as far as they were given."""
    own = login.address()

    def reached(host: Host) -> Host:
        ssh = host.ssh
        return replace(
            host,
            ssh=replace(
                ssh, identity=own.identity or ssh.identity, config=own.config or ssh.config, jump=own.jump or ssh.jump
            ),
        )

    return replace(environment, hosts=tuple(reached(host) for host in environment.hosts))


def _told(run: Run, loaded: Loaded) -> Environment:
    for warning in loaded.warnings:
        run.say(f"warning: {warning}")
    return loaded.environment


def expanded(environment: Environment, base: Path) -> Environment:
    """``~`` in the ssh paths of the file is the operator's home; others begin at ``base``, the folder of the file."""

    def whole(host: Host) -> Host:
        identity, config, known_hosts = (
            _path(path, base) for path in (host.ssh.identity, host.ssh.config, host.ssh.known_hosts)
        )
        return replace(host, ssh=replace(host.ssh, identity=identity, config=config, known_hosts=known_hosts))

    return replace(environment, hosts=tuple(whole(host) for host in environment.hosts))


def asked(run: Run, name: str | None, file: str | None) -> Environment:
    """The environment of ``[NAME] [-f FILE]``: the file's, else the known one's. UsageError where both are given and differ."""
    if not file:
        return run.environment(name)
    environment = from_file(run, file)
    if name and name != environment.name:
        raise UsageError(f"{file} is about {environment.name!r}, not {name!r}")
    return environment


def bundle_choice(run: Run, environment: str, choice: str | None) -> str:
    """The bundle to use: the flag's, else the setting's, else the one that this environment was last applied with."""
    return choice or run.settings.bundle or run.known().bundle(environment)


def lasting(choice: str) -> str:
    """A chosen bundle as it is remembered: a directory by its whole path, for it is used from anywhere."""
    return choice if choice in ("", OFFICIAL, MODULES) else _path(choice)


@contextmanager
def without_bundle(run: Run, environment: Environment, emit: Emit) -> Iterator[Context]:
    """The library's context for work that installs nothing."""
    from rancherctl.agents.install import host_resources

    nothing = Bundle(Path(), manifest(environment.kubernetes, "", "", ()))
    with run.connections() as connections:
        yield Context(transport=connections.transport, bundle=nothing, extras=host_resources, emit=emit)


@contextmanager
def context(run: Run, environment: Environment, choice: str | None, emit: Emit) -> Iterator[Context]:
    """The library's context: bundle, connections (closed at the end), agents' part of a host."""
    from rancherctl.agents.install import host_resources

    settings = run.settings
    bundle = resolve(
        bundle_choice(run, environment.name, choice),
        environment.kubernetes,
        settings.cache or settings.dirs.cache,
        emit,
    )
    with run.connections() as connections:
        yield Context(transport=connections.transport, bundle=bundle, extras=host_resources, emit=emit)
