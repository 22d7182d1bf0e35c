"""``rancherctl federation create``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.durations import Duration
from rancherctl.cli.env.apply_commands import HostOption, create_environment
from rancherctl.cli.env.options import BundleOption, FileOption
from rancherctl.cli.options import (
    DryRunOption,
    IdentityOption,
    JumpOption,
    NoWaitOption,
    OutputOption,
    SshClientOption,
    SshConfigOption,
    TimeoutOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rancherctl.environments.model import Environment, FederationSettings, Provider
    from rancherctl.federation.providers.tsig import TsigKey

TEN_MINUTES = Duration(600)
MAX_KEY = 10_000
"""Characters of a key file."""
RFC2136 = "rfc2136"
KEY_HINT = "--dns-key-file takes a file as tsig-keygen prints it"


def create(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the new federation; optional with --file.")
    ] = None,
    host: HostOption = None,
    zone: Annotated[
        str, typer.Option("--zone", metavar="DOMAIN", help="The public DNS zone of its names, such as acme.example.")
    ] = "",
    provider: Annotated[
        str, typer.Option("--provider", metavar="PROVIDER", help="How names get there: rfc2136, or none.")
    ] = RFC2136,
    server: Annotated[
        list[str] | None,
        typer.Option("--server", metavar="HOST[:PORT]", help="A primary name server of the zone; may be repeated."),
    ] = None,
    dns_key_file: Annotated[
        str, typer.Option("--dns-key-file", metavar="FILE", help="TSIG key for updates, as tsig-keygen prints it.")
    ] = "",
    file: FileOption = None,
    kubernetes: Annotated[
        str, typer.Option("--kubernetes", metavar="VERSION", help="Kubernetes version. (default: the recommended one)")
    ] = "",
    identity: IdentityOption = "",
    ssh_config: SshConfigOption = "",
    jump: JumpOption = "",
    ssh_client: SshClientOption = "",
    bundle: BundleOption = None,
    timeout: TimeoutOption = TEN_MINUTES,
    no_wait: NoWaitOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Create a federation: an environment without workers, whose API holds the Services of its members.

    It is changed and removed as every environment. The zone cannot change later. The key is stored as a Secret in the
    federation, not in its file.

    \b
    Examples:
      rancherctl federation create acme --host root@10.0.0.31 --zone acme.example --server 10.0.0.53 --dns-key-file key
      rancherctl federation create trial --host root@10.0.0.31 --zone trial.example --provider none
      rancherctl federation create -f acme.yaml --dns-key-file acme.key --dry-run
    """
    from rancherctl.errors import UsageError

    run = current(output=output)
    given = provider if provider != RFC2136 else ""
    options = {"--host": host, "--zone": zone, "--provider": given, "--server": server, "--kubernetes": kubernetes}
    options |= {"--identity": identity, "--ssh-config": ssh_config, "--jump": jump, "--ssh-client": ssh_client}
    if file and (also := [flag for flag, value in options.items() if value]):
        raise UsageError(
            f"--file cannot be combined with {', '.join(also)}",
            why="the environment file defines hosts, zone, version and ssh options",
            hint="change the file, or leave out --file",
        )

    def read() -> Environment:
        from rancherctl.cli.env.environment_file import from_hosts
        from rancherctl.cli.env.ssh_login import SshLogin

        if file:
            return _of_file(run, name, file)
        login = SshLogin(identity, ssh_config, jump, ssh_client)
        return from_hosts(run, name or "", host or (), kubernetes, login, _settings(zone, provider, server or ()))

    environment, key = _with_key(read, dns_key_file)
    _check_zone(run, environment, key)
    create_environment(run, environment, bundle, timeout, dry_run=dry_run, wait=not no_wait)
    if key is not None and not dry_run:
        _store_key(run, environment, key)


def _of_file(run: CommandRun, name: str | None, file: str) -> Environment:
    from rancherctl.cli.env.environment_file import requested_environment
    from rancherctl.errors import UsageError

    environment = requested_environment(run, name, file)
    if not environment.is_federation:
        raise UsageError(
            f"{file} describes an environment that is not a federation",
            hint="add spec.federation with a zone, or run: rancherctl env create",
        )
    return environment


def _settings(zone: str, provider: str, servers: Sequence[str]) -> FederationSettings:
    from rancherctl.environments.model import FederationSettings

    return FederationSettings(zone.lower().rstrip("."), cast("Provider", provider), tuple(servers))


def _with_key(read: Callable[[], Environment], file: str) -> tuple[Environment, TsigKey | None]:
    """The environment, and the key of ``file`` ("" = none); one InvalidInputError says what is wrong with both."""
    from rancherctl.errors import InvalidInputError, RancherctlError

    key: TsigKey | None = None
    wrong: RancherctlError | None = None
    try:
        key = _key(file)
    except RancherctlError as error:
        wrong = error
    try:
        environment = read()
    except InvalidInputError as error:
        if wrong is None:
            raise
        line = f"--dns-key-file: {wrong}" + (f" ({wrong.hint})" if wrong.hint else "")
        raise InvalidInputError(error.what, (*error.problems, line), hint=error.hint) from error
    if wrong is not None:
        raise wrong
    return environment, key


def _check_zone(run: CommandRun, environment: Environment, key: TsigKey | None) -> None:
    """Refuse a zone that its servers do not serve, and a key that they refuse; say what could not be checked."""
    from rancherctl.errors import PreflightError
    from rancherctl.federation.operator.delegation import delegation, system_resolver
    from rancherctl.federation.operator.zone_check import check_zone

    federation = environment.federation
    if federation is None or federation.provider != RFC2136:
        return
    found = check_zone(federation.zone, federation.servers, key)
    if found.problems:
        raise PreflightError(
            f"the names of {environment.name} cannot be published in {federation.zone}",
            found.problems,
            hint="nothing was changed",
        )
    notes = list(found.notes)
    if found.nameservers and (problem := delegation(federation.zone, found.nameservers, system_resolver())):
        notes.append(problem)
    for note in notes:
        run.say(f"warning: {note}")


def _key(file: str) -> TsigKey | None:
    from rancherctl.errors import NotFoundError, UsageError
    from rancherctl.federation.providers.tsig import parse_key

    if not file:
        return None
    try:
        with Path(file).expanduser().open(encoding="utf-8") as opened:
            text = opened.read(MAX_KEY)
    except FileNotFoundError as error:
        raise NotFoundError(f"{file}: no such file", hint="tsig-keygen prints a key") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}", why=error.strerror or str(error), hint=KEY_HINT) from error
    except UnicodeDecodeError as error:
        why = f"not valid UTF-8: {error.reason} at byte {error.start}"
        raise UsageError(f"cannot read {file}", why=why, hint=KEY_HINT) from error
    return parse_key(text, file)


def _store_key(run: CommandRun, environment: Environment, key: TsigKey) -> None:
    from rancherctl.cli.api import api
    from rancherctl.federation.providers.tsig import secret_object
    from rancherctl.kube.apply import MANAGER
    from rancherctl.kube.client import SECRETS

    with api(run, environment.name) as client:
        client.apply(SECRETS, secret_object(key), manager=MANAGER)
    run.say(f"{environment.name}: stored the key {key.name} for updates of {_zone(environment)}")


def _zone(environment: Environment) -> str:
    return environment.federation.zone if environment.federation else ""
