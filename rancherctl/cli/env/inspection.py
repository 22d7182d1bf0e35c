"""The verbs of ``env`` that look, choose and fetch; ``env`` registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import Run, current
from rancherctl.cli.durations import Duration
from rancherctl.cli.env.known import remember_environments
from rancherctl.cli.options import EnvArgument, IdentityOption, JumpOption, OutputOption, SshConfigOption, TimeoutOption

if TYPE_CHECKING:
    from rancherctl.environments.health import Status
    from rancherctl.environments.model import Environment
    from rancherctl.errors import TimeoutExceededError
    from rancherctl.events import Emit, Event

UNHEALTHY = 1
FIVE_MINUTES = Duration(300)


def ls(output: OutputOption = None) -> None:
    """List the environments that are known here, and whether their APIs answer.

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
    empty = "no environment is known here; rancherctl env create makes one"
    found = rows(run.known())
    run.show(Listing("Environment", found, LIST_COLUMNS, empty=empty))
    for row in found:
        if row["problem"] and not row["server"]:
            run.say(f"warning: the file of {row['name']} cannot be used: {row['problem']}")


def show(name: EnvArgument = None, output: OutputOption = None) -> None:
    """Print an environment's file, with defaults filled in.

    \b
    Examples:
      rancherctl env show demo
      rancherctl env show demo -o json
    """
    from rancherctl.environments.dump import document, dump
    from rancherctl.output.results import Record

    run = current(output=output)
    environment = run.environment(name)
    run.show(Record("Environment", document(environment), text=dump(environment), name=environment.name))


def use(name: Annotated[str, typer.Argument(metavar="ENV", help="The environment's name.")]) -> None:
    """Choose the environment that commands mean when none is named.

    \b
    Examples:
      rancherctl env use demo
      rancherctl env use prod
    """
    run = current()
    run.known().choose(name)
    run.say(f"commands without --env now mean {name}")


def _status(
    run: Run, environment: Environment, bundle: str | None, patience: float
) -> tuple[list[Status], TimeoutExceededError | None]:
    """The last look (none where even the first one did not end), and the error when ``patience`` seconds of waiting were not enough."""
    from rancherctl.cli.env.lifecycle import bundle_choice, context, without_bundle
    from rancherctl.environments.status import status
    from rancherctl.errors import TimeoutExceededError
    from rancherctl.events import Event
    from rancherctl.polling import Tolerant, poll_until

    found: list[Status] = []
    in_time, problem = True, ""
    chosen = bundle_choice(run, environment.name, bundle)
    with (
        run.progress() as emit,
        context(run, environment, chosen, once(emit))
        if chosen
        else without_bundle(run, environment, once(emit)) as work,
    ):

        def healthy() -> bool:
            found[:] = [status(environment, work)]
            if patience and not found[0].healthy:
                work.emit(Event("wait", f"not healthy yet: {_some(found[0])}"))
            return found[0].healthy

        if patience:
            attempts = Tolerant(healthy)
            in_time, problem = bool(poll_until(attempts, patience)), attempts.problem
        else:
            healthy()
    if not in_time:
        hint = f"mend what is named, or wait longer: rancherctl env status {environment.name} --wait --timeout 10m"
        why = _some(found[0]) if found else problem
        return found, TimeoutExceededError(
            f"environment {environment.name} is not healthy after {patience:.0f} s", why=why, hint=hint
        )
    return found, None


def _some(status: Status) -> str:
    problems = status.problems()
    return "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")


def once(emit: Emit) -> Emit:
    """``emit`` for a look that is repeated: what was said is not said again."""
    said: set[Event] = set()

    def first_time(event: Event) -> None:
        if event not in said:
            said.add(event)
            emit(event)

    return first_time


def status_(
    name: EnvArgument = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is healthy.")] = False,
    timeout: TimeoutOption = FIVE_MINUTES,
    bundle: Annotated[
        str | None,
        typer.Option("--bundle", metavar="BUNDLE", help="The bundle to compare with; default: the one last used."),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Show the health of hosts and components, versions, certificates, and what differs from the file. Exits with 1 unless healthy.

    \b
    Examples:
      rancherctl env status demo
      rancherctl env status demo --wait --timeout 2m
      rancherctl env status demo -o json
    """
    from rancherctl.output.environment_status import status_record

    run = current(output=output)
    looks, late = _status(run, run.environment(name), bundle, timeout if wait else 0.0)
    for found in looks:
        run.show(status_record(found, wide=run.settings.output == "wide"))
    if late is not None:
        raise late
    if not all(found.healthy for found in looks):
        raise typer.Exit(UNHEALTHY)


def fetch_(
    target: Annotated[
        str, typer.Argument(metavar="[USER@]HOST[:PORT]", help="A control-plane host of the environment.")
    ],
    identity: IdentityOption = "",
    ssh_config: SshConfigOption = "",
    jump: JumpOption = "",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Take the place of another environment of the same name that is known here."),
    ] = False,
    output: OutputOption = None,
) -> None:
    """Get an environment back from one of its control-plane hosts: its file, and whom to trust.

    The ssh options are used for all its hosts from now on.

    \b
    Examples:
      rancherctl env fetch root@10.0.0.11
      rancherctl env fetch root@10.0.0.11 --identity ~/.ssh/ops
    """
    from rancherctl.cli.env.fetched import make_room
    from rancherctl.cli.env.lifecycle import Login, target_address, with_login
    from rancherctl.cli.sign_in import merge_context, sign_in_to
    from rancherctl.environments.dump import document, dump
    from rancherctl.environments.fetch import fetch
    from rancherctl.output.results import Record

    run = current(output=output)
    login = Login(identity, ssh_config, jump)
    address = target_address(target, login)
    with run.connections() as connections:
        fetched = fetch(connections.address(address))
        environment = with_login(fetched.environment, login)
        make_room(run, fetched, address.host, replace=replace)
        merge_context(run, sign_in_to(run, environment, lambda _keeper: connections.address(address), fetched.ca_pem))
    run.known().save(environment)
    remember_environments(run.settings)
    run.show(Record("Environment", document(environment), text=dump(environment), name=environment.name))
    run.next(f"rancherctl env status {environment.name}")
