"""``rancherctl env ls``, ``show``, ``status`` and ``use``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.completion_names import remember_environments
from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.durations import Duration
from rancherctl.cli.options import EnvArgument, OutputOption, TimeoutOption
from rancherctl.text import and_more

if TYPE_CHECKING:
    from rancherctl.environments.health import EnvironmentStatus
    from rancherctl.environments.model import Environment
    from rancherctl.errors import TimeoutExceededError
    from rancherctl.events import Emit, Event

UNHEALTHY = 1
FIVE_MINUTES = Duration(300)


def ls(output: OutputOption = None) -> None:
    """List the environments known on this machine, and whether their APIs are reachable.

    \b
    Examples:
      rancherctl env ls
      rancherctl env ls -o json
    """
    from rancherctl.cli.env.listing import rows
    from rancherctl.output.environments import LIST_COLUMNS
    from rancherctl.output.results import Listing

    run = current(output=output)
    remember_environments(run.settings)
    empty = "no environments found; create one with rancherctl env create"
    found = rows(run.known())
    run.show(Listing("Environment", found, LIST_COLUMNS, empty=empty))
    for row in found:
        if row["problem"] and not row["server"]:
            run.say(f"warning: cannot use the file of {row['name']}: {row['problem']}")


def show(name: EnvArgument = None, output: OutputOption = None) -> None:
    """Print an environment's file, with defaults filled in, and which ssh client connects to each host.

    \b
    Examples:
      rancherctl env show demo
      rancherctl env show demo -o json
    """
    from rancherctl.cli.env.ssh_report import as_comments, ssh_clients
    from rancherctl.environments.dump import document, dump
    from rancherctl.output.results import Record

    run = current(output=output)
    environment = run.environment(name)
    clients = ssh_clients(environment)
    item = {**document(environment), "status": {"ssh": clients}}
    run.show(Record("Environment", item, text=dump(environment) + as_comments(clients), name=environment.name))


def use(name: Annotated[str, typer.Argument(metavar="ENV", help="Name of the environment.")]) -> None:
    """Set the default environment for commands without --env.

    \b
    Examples:
      rancherctl env use demo
      rancherctl env use prod
    """
    run = current()
    run.known().set_default(name)
    run.say(f"default environment: {name}")


def status_(
    name: EnvArgument = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the environment is healthy.")] = False,
    timeout: TimeoutOption = FIVE_MINUTES,
    check: Annotated[
        bool, typer.Option("--check", help="Check now what pods of each host reach, instead of the last reports.")
    ] = False,
    bundle: Annotated[
        str | None,
        typer.Option("--bundle", metavar="BUNDLE", help="Bundle to compare with. (default: the last one used)"),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Show the health, versions and certificates of hosts, and drift from the file. Exits with 1 unless healthy.

    \b
    Examples:
      rancherctl env status demo
      rancherctl env status demo --wait --timeout 2m
      rancherctl env status demo --check
      rancherctl env status demo -o json
    """
    from rancherctl.output.environment_status import status_record

    run = current(output=output)
    found, timed_out = _status(run, run.environment(name), bundle, timeout if wait else 0.0, check)
    for status in found:
        run.show(status_record(status, wide=run.settings.output == "wide"))
    if timed_out is not None:
        raise timed_out
    if not all(status.healthy for status in found):
        raise typer.Exit(UNHEALTHY)


def _status(
    run: CommandRun, environment: Environment, bundle: str | None, timeout: float, check: bool
) -> tuple[list[EnvironmentStatus], TimeoutExceededError | None]:
    """The last status, in a list that is empty if not even the first check ended, and the error if ``timeout`` passed.

    A ``timeout`` of 0 checks once.
    """
    from rancherctl.cli.env.work_context import bundle_choice, without_bundle, work_context
    from rancherctl.environments.status import status
    from rancherctl.errors import TimeoutExceededError
    from rancherctl.events import Event
    from rancherctl.polling import Tolerant, poll_until

    name, last = environment.name, list["EnvironmentStatus"]()
    in_time, problem = True, ""
    chosen = bundle_choice(run, name, bundle)
    with (
        run.progress() as emit,
        work_context(run, environment, chosen, without_repeats(emit))
        if chosen
        else without_bundle(run, environment, without_repeats(emit)) as work,
    ):

        def healthy() -> bool:
            last[:] = [status(environment, work, check=check)]
            if timeout and not last[0].healthy:
                work.emit(Event("wait", f"not healthy yet: {_problems(last[0])}"))
            return last[0].healthy

        if timeout:
            attempts = Tolerant(healthy)
            in_time, problem = bool(poll_until(attempts, timeout)), attempts.problem
        else:
            healthy()
    if in_time:
        return last, None
    return last, TimeoutExceededError(
        f"environment {name} is not healthy after {timeout:.0f} s",
        why=_problems(last[0]) if last else problem,
        hint=f"fix these problems, or wait longer: rancherctl env status {name} --wait --timeout 10m",
    )


def _problems(status: EnvironmentStatus) -> str:
    return and_more(status.problems(), shown=3, separator="; ")


def without_repeats(emit: Emit) -> Emit:
    """``emit`` for a check that is repeated: an event that was already shown is dropped."""
    shown: set[Event] = set()

    def emit_new(event: Event) -> None:
        if event not in shown:
            shown.add(event)
            emit(event)

    return emit_new
