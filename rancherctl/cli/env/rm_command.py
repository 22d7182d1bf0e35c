"""``rancherctl env rm``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.completion_names import remember_environments
from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.env.options import BreakLockOption, FileOption
from rancherctl.cli.options import ConfirmOption, DryRunOption, EnvArgument, OutputOption
from rancherctl.errors import LockedError, PartialError, RancherctlError
from rancherctl.text import plural

if TYPE_CHECKING:
    from rancherctl.environments.model import Environment

RUN_AGAIN = "run the same command again"


def rm(
    name: EnvArgument = None,
    file: FileOption = None,
    confirm: ConfirmOption = None,
    break_lock: BreakLockOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Forget the environment on this machine even if hosts could not be cleaned.")
    ] = False,
    services: Annotated[
        str,
        typer.Option(
            "--services", metavar="keep|delete", help="Of a federation: its members leave first, with this for copies."
        ),
    ] = "",
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Remove an environment from its hosts: programs, configuration, data and everything else it installed.

    If some hosts cannot be cleaned, the environment stays known on this machine, and the same command retries them.
    --force forgets it anyway and keeps a copy of its file, so that those hosts can be cleaned later with -f.

    A federation with members is removed with --services only, and a member must leave its federation first.

    \b
    Examples:
      rancherctl env rm demo
      rancherctl env rm demo --dry-run -o wide
      rancherctl env rm demo --confirm demo
      rancherctl env rm -f demo.yaml --confirm demo
    """
    from rancherctl.cli.env.environment_file import requested_environment
    from rancherctl.cli.env.federation_guard import before_removal
    from rancherctl.cli.env.work_context import without_bundle
    from rancherctl.environments.removal.preview import preview
    from rancherctl.environments.removal.remove import remove
    from rancherctl.output.environments import removal_listing, removed_listing

    run = current(output=output)
    environment = requested_environment(run, name, file)
    if dry_run:
        with run.progress() as emit, without_bundle(run, environment, emit) as work:
            found = preview(environment, work)
        run.show(removal_listing(found))
        if run.settings.output in ("", "table"):
            run.next(f"rancherctl env rm {f'-f {file}' if file else environment.name} --dry-run -o wide")
        return
    hosts = plural(len(environment.hosts), "host")
    run.confirm_name(f"This removes {environment.name} and all its data from {hosts}.", environment.name, confirm)
    before_removal(run, environment, services=services, force=force)
    try:
        with run.progress() as emit, without_bundle(run, environment, emit) as work:
            removed = remove(environment, work, break_lock=break_lock)
    except LockedError:
        raise
    except RancherctlError as error:
        _not_removed(run, environment, error, force=force)
        raise
    if not any(removed.left.values()):
        _forget(run, environment)
        run.show(removed_listing(removed))
        return
    try:
        run.show(removed_listing(removed))
    except PartialError as error:
        _not_removed(run, environment, error, force=force)
        raise


def _not_removed(run: CommandRun, environment: Environment, error: RancherctlError, *, force: bool) -> None:
    """Handle an environment that is still on hosts: forget it with ``force``, and complete the hint of ``error``."""
    name = environment.name
    if not force:
        again = error.hint or RUN_AGAIN
        error.hint = f"{again}; {name} stays known on this machine until its hosts are clean, --force forgets it now"
        return
    archived = run.known().archive(environment)
    _forget(run, environment)
    error.hint = f"once these hosts are reachable, clean them: rancherctl env rm -f {archived} --confirm {name}"


def _forget(run: CommandRun, environment: Environment) -> None:
    from rancherctl.cli.sign_in import forget

    name = environment.name
    if name not in run.known().names():
        return
    if (other := run.known().other(environment)) is not None:
        run.say(f"{name} on this machine is another environment (API: {other.server()}); it is kept")
        return
    forget(run, name)
    run.known().forget(name)
    remember_environments(run.settings)
    run.say(f"{name} removed from this machine's environments")
