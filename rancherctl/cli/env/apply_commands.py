"""``rancherctl env create``, ``apply`` and ``plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.completion_names import remember_environments
from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.durations import Duration
from rancherctl.cli.env.options import BreakLockOption, BundleOption, FileOption, OpenFirewallOption
from rancherctl.cli.options import (
    DryRunOption,
    EnvArgument,
    IdentityOption,
    JumpOption,
    NoWaitOption,
    OutputOption,
    SshClientOption,
    SshConfigOption,
    TimeoutOption,
)
from rancherctl.errors import RancherctlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rancherctl.environments.model import Environment
    from rancherctl.environments.plan import EnvironmentPlan

HAS_CHANGES = 8
TEN_MINUTES = Duration(600)
HostOption = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="[USER@]IP[:PORT][=ROLES]", help="A host and its roles; may be repeated."),
]


def create(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the new environment; optional with --file.")
    ] = None,
    host: HostOption = None,
    file: FileOption = None,
    kubernetes: Annotated[
        str, typer.Option("--kubernetes", metavar="VERSION", help="Kubernetes version. (default: the recommended one)")
    ] = "",
    identity: IdentityOption = "",
    ssh_config: SshConfigOption = "",
    jump: JumpOption = "",
    ssh_client: SshClientOption = "",
    bundle: BundleOption = None,
    open_firewall: OpenFirewallOption = None,
    timeout: TimeoutOption = TEN_MINUTES,
    no_wait: NoWaitOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Create an environment from --host options or from a file.

    Roles are etcd, controlplane and worker, separated by commas. A host without roles is a worker. If no host has the
    role etcd or controlplane, the first host gets all three roles.

    An interrupted create is resumed by running the same command again.

    \b
    Examples:
      rancherctl env create demo --host root@10.0.0.11 --host root@10.0.0.12 --bundle official
      rancherctl env create demo --host root@10.0.0.11=etcd,controlplane --host root@10.0.0.12=worker
      rancherctl env create -f prod.yaml --dry-run
    """
    from rancherctl.cli.env.environment_file import from_hosts, requested_environment, with_firewall
    from rancherctl.cli.env.ssh_login import SshLogin
    from rancherctl.errors import UsageError

    run = current(output=output)
    if file:
        options = {
            "--host": host,
            "--kubernetes": kubernetes,
            "--identity": identity,
            "--ssh-config": ssh_config,
            "--jump": jump,
            "--ssh-client": ssh_client,
        }
        if also := [flag for flag, value in options.items() if value]:
            raise UsageError(
                f"--file cannot be combined with {', '.join(also)}",
                why="the environment file defines hosts, version and ssh options",
                hint="change the file, or leave out --file",
            )
        environment = requested_environment(run, name, file)
    elif name:
        environment = from_hosts(run, name, host or (), kubernetes, SshLogin(identity, ssh_config, jump, ssh_client))
    else:
        raise UsageError("missing name of the environment", hint="rancherctl env create NAME --host …, or -f FILE")
    environment = with_firewall(environment, open_firewall)
    create_environment(run, environment, bundle, timeout, dry_run=dry_run, wait=not no_wait)


def create_environment(
    run: CommandRun, environment: Environment, bundle: str | None, timeout: float, *, dry_run: bool, wait: bool
) -> None:
    """Create an environment, or resume its interrupted create; ConflictError if another one has its name."""
    from rancherctl.errors import ConflictError

    if dry_run:
        _plan(run, environment, bundle)
        return
    if environment.name in run.known().names():
        if run.known().read(environment.name) != environment:
            raise ConflictError(
                f"environment {environment.name!r} already exists with other hosts or settings",
                hint=f"change it: rancherctl env apply {environment.name} -f FILE; print its file: "
                f"rancherctl env show {environment.name}",
            )
        run.say(f"{environment.name}: resuming an interrupted create")
    _apply(run, environment, bundle, timeout, break_lock=False, wait=wait)


def apply_(
    name: EnvArgument = None,
    file: FileOption = None,
    bundle: BundleOption = None,
    open_firewall: OpenFirewallOption = None,
    timeout: TimeoutOption = TEN_MINUTES,
    no_wait: NoWaitOption = False,
    break_lock: BreakLockOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Change the hosts to match the environment file; does nothing if they already do.

    After a failure or an interruption, run it again: it continues with what is left.

    More than 20 steps are summarised as numbers; -o wide lists every step, and so does the log file.

    \b
    Examples:
      rancherctl env apply -f prod.yaml
      rancherctl env apply prod --dry-run
      rancherctl env apply prod --open-firewall
      cat prod.yaml | rancherctl env apply -f -
    """
    from rancherctl.cli.env.environment_file import requested_environment, with_firewall

    run = current(output=output)
    environment = with_firewall(requested_environment(run, name, file), open_firewall)
    if dry_run:
        _plan(run, environment, bundle)
    else:
        _apply(run, environment, bundle, timeout, break_lock=break_lock, wait=not no_wait)


def plan_(
    name: EnvArgument = None,
    file: FileOption = None,
    bundle: BundleOption = None,
    open_firewall: OpenFirewallOption = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 8 if there are changes.")] = False,
    output: OutputOption = None,
) -> None:
    """Show every change that `env apply` would make, host by host, without making it.

    \b
    Examples:
      rancherctl env plan -f prod.yaml
      rancherctl env plan prod -o wide
      rancherctl env plan prod --exit-code
    """
    from rancherctl.cli.env.environment_file import requested_environment, with_firewall

    run = current(output=output)
    environment = with_firewall(requested_environment(run, name, file), open_firewall)
    if _plan(run, environment, bundle) and exit_code:
        raise typer.Exit(HAS_CHANGES)


def _plan(run: CommandRun, environment: Environment, bundle: str | None) -> EnvironmentPlan:
    from rancherctl.cli.env.work_context import work_context
    from rancherctl.environments.reconcile import plan
    from rancherctl.output.environments import plan_record, plan_text

    with run.progress() as emit, work_context(run, environment, bundle, emit) as work:
        planned = plan(environment, work)
    run.log(plan_text(planned))
    run.show(plan_record(planned, wide=run.settings.output == "wide"))
    _say_warnings(run, planned.warnings)
    return planned


def _say_warnings(run: CommandRun, warnings: Iterable[str]) -> None:
    if run.settings.progress == "none":  # otherwise progress has shown them
        for warning in warnings:
            run.say(f"warning: {warning}")


def _apply(
    run: CommandRun, environment: Environment, bundle: str | None, timeout: float, *, break_lock: bool, wait: bool
) -> None:
    from rancherctl.cli.env import federation_label
    from rancherctl.cli.env.work_context import work_context
    from rancherctl.cli.sign_in import sign_in_if_needed
    from rancherctl.environments.reconcile import apply
    from rancherctl.output.environments import applied_record, plan_text

    known = run.known().find(environment.name)
    with run.progress() as emit, work_context(run, environment, bundle, emit) as work:
        applied = apply(
            environment,
            work,
            break_lock=break_lock,
            timeout=timeout,
            wait=wait,
            begin=lambda: _remember(run, environment, bundle),
        )
        sign_in_error = None
        try:
            sign_in_if_needed(run, environment, work.transport, applied.ca_pem)
        except RancherctlError as error:  # raised below: the changes on the hosts are reported first
            sign_in_error = error
    run.log(plan_text(applied.plan, done=not applied.failures))
    record = applied_record(applied, wide=run.settings.output == "wide")
    run.show(record, fail=not applied.failures)
    _say_warnings(run, applied.warnings)
    applied.raise_failures()
    name, seconds, server = environment.name, applied.seconds, applied.server
    if sign_in_error is not None:
        run.say(f"{name} applied, but this machine is not signed in to it")
        sign_in_error.hint = sign_in_error.hint or "run the same command again to sign in"
        raise sign_in_error
    federation_label.follow(run, applied.environment, known.labels if known else {}, timeout if wait else None)
    if not applied.plan:
        run.say(f"{name} is up to date (checked in {seconds:.1f} s); API: {server}")
        return
    run.say(f"{name} applied in {seconds:.1f} s; API: {server}")
    run.next(f"rancherctl env status {name}", f"rancherctl kubectl --env {name} get nodes")


def _remember(run: CommandRun, environment: Environment, bundle: str | None) -> None:
    """Store the environment's file on this machine; called once nothing forbids the apply any more."""
    from rancherctl.cli.env.work_context import bundle_choice, remembered_choice

    known = run.known()
    if (other := known.other(environment)) is not None:
        archived = known.archive(other)
        run.say(
            f"warning: {environment.name} was the name of another environment on this machine (API: {other.server()}); "
            f"its file was moved to {archived}"
        )
    known.save(environment, remembered_choice(bundle_choice(run, environment.name, bundle)))
    remember_environments(run.settings)
