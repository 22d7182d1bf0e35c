"""``rancherctl env``: environments from their file to their removal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import Run, current
from rancherctl.cli.durations import Duration
from rancherctl.cli.env import inspection
from rancherctl.cli.env.known import remember_environments
from rancherctl.cli.groups import noun
from rancherctl.cli.options import (
    ConfirmOption,
    DryRunOption,
    EnvArgument,
    IdentityOption,
    JumpOption,
    NoWaitOption,
    OutputOption,
    SshConfigOption,
    TimeoutOption,
)
from rancherctl.environments.model import Environment
from rancherctl.errors import LockedError, PartialError, RancherctlError

if TYPE_CHECKING:
    from rancherctl.environments.plan import EnvironmentPlan

app = noun(
    "Kubernetes environments made of plain Linux hosts.",
    "rancherctl env create demo --host root@10.0.0.11 --host root@10.0.0.12 --bundle official",
    "rancherctl env status demo",
    "rancherctl env rm demo",
)

HAS_CHANGES = 8
TEN_MINUTES = Duration(600)
FileOption = Annotated[
    str | None, typer.Option("--file", "-f", metavar="FILE", help="The environment's file; - reads standard input.")
]
HostOption = Annotated[
    list[str] | None, typer.Option("--host", metavar="[USER@]IP[:PORT][=ROLES]", help="A host; may be repeated.")
]
BundleOption = Annotated[
    str | None,
    typer.Option(
        "--bundle", metavar="BUNDLE", help="Where the programs come from: official, modules or a directory; remembered."
    ),
]
BreakLockOption = Annotated[bool, typer.Option("--break-lock", help="Take the lock although somebody holds it.")]


def _plan(run: Run, environment: Environment, bundle: str | None) -> EnvironmentPlan:
    from rancherctl.cli.env.lifecycle import context
    from rancherctl.environments.reconcile import plan
    from rancherctl.output.environments import plan_record, plan_text

    with run.progress() as emit, context(run, environment, bundle, emit) as work:
        planned = plan(environment, work)
    run.log(plan_text(planned))
    run.show(plan_record(planned, wide=run.settings.output == "wide"))
    return planned


def _apply(
    run: Run, environment: Environment, bundle: str | None, timeout: float, *, break_lock: bool, wait: bool
) -> None:
    from rancherctl.cli.env.lifecycle import bundle_choice, context, lasting
    from rancherctl.cli.sign_in import sign_in_where_needed
    from rancherctl.environments.reconcile import apply
    from rancherctl.output.environments import applied_record, plan_text

    def begin() -> None:
        if (other := run.known().other(environment)) is not None:
            kept = run.known().put_aside(other)
            run.say(
                f"warning: another environment {environment.name} was known here, with its API at {other.server()}; its file is now {kept}"
            )
        run.known().save(environment, lasting(bundle_choice(run, environment.name, bundle)))
        remember_environments(run.settings)

    with run.progress() as emit, context(run, environment, bundle, emit) as work:
        applied = apply(environment, work, break_lock=break_lock, timeout=timeout, wait=wait, begin=begin)
        try:
            sign_in_where_needed(run, environment, work.transport, applied.ca_pem)
            not_signed_in = None
        except RancherctlError as error:  # what was done to the hosts is told first
            not_signed_in = error
    run.log(plan_text(applied.plan, done=not applied.failures))
    record = applied_record(applied, wide=run.settings.output == "wide")
    run.show(record, fail=not applied.failures)
    for warning in applied.warnings if run.settings.progress == "none" else ():  # else they still stand above
        run.say(f"warning: {warning}")
    applied.raise_failures()
    if not_signed_in is not None:
        run.say(f"{environment.name} is applied, but this machine is not signed in to it")
        not_signed_in.hint = not_signed_in.hint or "run the same command again: it signs in"
        raise not_signed_in
    if not applied.plan:
        run.say(f"{environment.name} is as its file says, seen in {applied.seconds:.1f} s; API at {applied.server}")
        return
    run.say(f"{environment.name} is applied, in {applied.seconds:.1f} s; API at {applied.server}")
    run.next(f"rancherctl env status {environment.name}", f"rancherctl kubectl --env {environment.name} get nodes")


@app.command("create")
def create(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The new environment's name; not needed with --file.")
    ] = None,
    host: HostOption = None,
    file: FileOption = None,
    kubernetes: Annotated[str, typer.Option("--kubernetes", metavar="VERSION", help="The Kubernetes version.")] = "",
    identity: IdentityOption = "",
    ssh_config: SshConfigOption = "",
    jump: JumpOption = "",
    bundle: BundleOption = None,
    timeout: TimeoutOption = TEN_MINUTES,
    no_wait: NoWaitOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Make an environment from hosts or from a file, and apply it.

    Roles are etcd, controlplane and worker, separated by commas; a host without roles is a worker, and the first one of them carries the
    control plane where no host was given it.

    \b
    Examples:
      rancherctl env create demo --host root@10.0.0.11 --host root@10.0.0.12 --bundle official
      rancherctl env create demo --host root@10.0.0.11=etcd,controlplane --host root@10.0.0.12=worker
      rancherctl env create -f prod.yaml --dry-run
    """
    from rancherctl.cli.env.lifecycle import Login, asked, from_hosts
    from rancherctl.errors import ConflictError, UsageError

    run = current(output=output)
    if file:
        given = {
            "--host": host,
            "--kubernetes": kubernetes,
            "--identity": identity,
            "--ssh-config": ssh_config,
            "--jump": jump,
        }
        if also := [flag for flag, value in given.items() if value]:
            raise UsageError(
                f"--file and {', '.join(also)} are given", why="the file says that itself", hint="leave one of them out"
            )
        environment = asked(run, name, file)
    elif name:
        environment = from_hosts(run, name, host or (), kubernetes, Login(identity, ssh_config, jump))
    else:
        raise UsageError("the environment needs a name", hint="rancherctl env create NAME --host …, or -f FILE")
    if dry_run:
        _plan(run, environment, bundle)
        return
    if environment.name in run.known().names():
        if run.known().read(environment.name) != environment:
            hint = f"rancherctl env apply {environment.name} -f FILE changes it, rancherctl env show {environment.name} prints its file"
            raise ConflictError(f"environment {environment.name!r} exists with other hosts or settings", hint=hint)
        run.say(f"{environment.name} was begun before with these hosts and settings: going on")
    _apply(run, environment, bundle, timeout, break_lock=False, wait=not no_wait)


@app.command("apply")
def apply_(
    name: EnvArgument = None,
    file: FileOption = None,
    bundle: BundleOption = None,
    timeout: TimeoutOption = TEN_MINUTES,
    no_wait: NoWaitOption = False,
    break_lock: BreakLockOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Make the hosts what the file says; run it again to go on after a failure. A second run changes nothing.

    Many changes are told in numbers; -o wide names each, and so does the log file.

    \b
    Examples:
      rancherctl env apply -f prod.yaml
      rancherctl env apply prod --dry-run
      cat prod.yaml | rancherctl env apply -f -
    """
    from rancherctl.cli.env.lifecycle import asked

    run = current(output=output)
    environment = asked(run, name, file)
    if dry_run:
        _plan(run, environment, bundle)
    else:
        _apply(run, environment, bundle, timeout, break_lock=break_lock, wait=not no_wait)


@app.command("plan")
def plan_(
    name: EnvArgument = None,
    file: FileOption = None,
    bundle: BundleOption = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 8 when there are changes.")] = False,
    output: OutputOption = None,
) -> None:
    """Name every file, package, unit and command that an apply would change, host by host, and change nothing.

    \b
    Examples:
      rancherctl env plan -f prod.yaml
      rancherctl env plan prod -o wide
      rancherctl env plan prod --exit-code
    """
    from rancherctl.cli.env.lifecycle import asked

    run = current(output=output)
    if _plan(run, asked(run, name, file), bundle) and exit_code:
        raise typer.Exit(HAS_CHANGES)


@app.command("rm")
def rm(
    name: EnvArgument = None,
    file: FileOption = None,
    confirm: ConfirmOption = None,
    break_lock: BreakLockOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Forget the environment here also when hosts could not be cleared.")
    ] = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Remove an environment from its hosts: programs, configuration, data, and everything else that came with it.

    A host that could not be cleared keeps the environment known here, so that the same command goes on. With --force it is forgotten
    all the same, and its file is put aside, so that such hosts can be cleared later with -f.

    \b
    Examples:
      rancherctl env rm demo
      rancherctl env rm demo --dry-run -o wide
      rancherctl env rm demo --confirm demo
      rancherctl env rm -f demo.yaml --confirm demo
    """
    from rancherctl.cli.env.lifecycle import asked, without_bundle
    from rancherctl.environments.remove import remove
    from rancherctl.environments.remove_look import look
    from rancherctl.output.environments import removal_listing, removed_listing

    run = current(output=output)
    environment = asked(run, name, file)
    if dry_run:
        with run.progress() as emit, without_bundle(run, environment, emit) as work:
            found = look(environment, work)
        run.show(removal_listing(found))
        if run.settings.output in ("", "table"):
            run.next(f"rancherctl env rm {f'-f {file}' if file else environment.name} --dry-run -o wide")
        return
    run.confirm_name(
        f"This removes {environment.name} with all its data from {len(environment.hosts)} host{'s' if len(environment.hosts) > 1 else ''}.",
        environment.name,
        confirm,
    )
    try:
        with run.progress() as emit, without_bundle(run, environment, emit) as work:
            removed = remove(environment, work, break_lock=break_lock)
    except LockedError:
        raise
    except RancherctlError as error:
        _not_cleared(run, environment, error, force=force)
        raise
    if not any(removed.left.values()):
        _forget(run, environment)
        run.show(removed_listing(removed))
        return
    try:
        run.show(removed_listing(removed))
    except PartialError as error:
        _not_cleared(run, environment, error, force=force)
        raise


def _not_cleared(run: Run, environment: Environment, error: RancherctlError, *, force: bool) -> None:
    """What becomes of an environment that is still on hosts: forgotten with ``force``, and how to go on in ``error``'s hint."""
    name = environment.name
    if not force:
        again = "run the same command again" if error.hint in ("", "run the same command again") else error.hint
        error.hint = f"{again}; {name} stays known here until its hosts are clear, --force forgets it now"
        return
    kept = run.known().put_aside(environment)
    _forget(run, environment)
    error.hint = f"when these hosts can be reached, clear them with: rancherctl env rm -f {kept} --confirm {name}"


def _forget(run: Run, environment: Environment) -> None:
    from rancherctl.cli.sign_in import forget

    name = environment.name
    if name not in run.known().names():
        return
    if (other := run.known().other(environment)) is not None:
        run.say(f"the {name} that is known here is another one, with its API at {other.server()}: it stays known")
        return
    forget(run, name)
    run.known().forget(name)
    remember_environments(run.settings)
    run.say(f"{name} is no longer known here")


app.command("ls")(inspection.ls)
app.command("show")(inspection.show)
app.command("status")(inspection.status_)
app.command("fetch")(inspection.fetch_)
app.command("use")(inspection.use)
