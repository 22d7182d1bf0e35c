"""What environments.reconcile and its siblings need to work on hosts.

Bundle, connections, the agents' files, progress.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rancherctl.bundle.create import MODULES, OFFICIAL
from rancherctl.bundle.model import Bundle, manifest
from rancherctl.bundle.resolve import resolve
from rancherctl.cli.api_route import proxy_to
from rancherctl.cli.context import CommandRun
from rancherctl.cli.env.ssh_login import absolute
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.events import Emit


def bundle_choice(run: CommandRun, environment: str, choice: str | None) -> str:
    """The bundle to use: the flag's, else the setting's, else the one that this environment was last applied with."""
    return choice or run.settings.bundle or run.known().bundle(environment)


def remembered_choice(choice: str) -> str:
    """A bundle choice as it is stored: a directory as an absolute path, because it is used from any folder."""
    return choice if choice in ("", OFFICIAL, MODULES) else absolute(choice)


@contextmanager
def work_context(run: CommandRun, environment: Environment, choice: str | None, emit: Emit) -> Iterator[Context]:
    """The context with the chosen bundle; connections are closed at the end of the block."""
    cache = run.settings.cache or run.settings.dirs.cache
    bundle = resolve(bundle_choice(run, environment.name, choice), environment.kubernetes, cache, emit)
    with _context(run, environment, bundle, emit) as work:
        yield work


@contextmanager
def without_bundle(run: CommandRun, environment: Environment, emit: Emit) -> Iterator[Context]:
    """The context for work that installs nothing: its bundle is empty."""
    with _context(run, environment, Bundle(Path(), manifest(environment.kubernetes, "", "", ())), emit) as work:
        yield work


@contextmanager
def _context(run: CommandRun, environment: Environment, bundle: Bundle, emit: Emit) -> Iterator[Context]:
    from rancherctl.agents.install import host_resources
    from rancherctl.ingress.operator import https_redirects
    from rancherctl.services.operator import notice

    proxy = partial(proxy_to, run.settings.dirs, environment.name)
    with run.connections() as connections:
        yield Context(
            connections.transport,
            bundle,
            extras=host_resources,
            emit=emit,
            proxy=proxy,
            redirecting=https_redirects.read,
            publishing=notice.read,
        )
