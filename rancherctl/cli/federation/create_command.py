"""``rancherctl federation create``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from rancherctl.environments.model import Environment, FederationSettings
    from rancherctl.federation.providers.tsig import TsigKey

TEN_MINUTES = Duration(600)
MAX_KEY = 10_000
"""Characters of a key file."""


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
    ] = "rfc2136",
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
    from rancherctl.cli.env.environment_file import from_hosts, requested_environment
    from rancherctl.cli.env.ssh_login import SshLogin
    from rancherctl.errors import UsageError

    run = current(output=output)
    key = _key(dns_key_file)
    if file:
        options = {"--host": host, "--zone": zone, "--server": server, "--kubernetes": kubernetes}
        options |= {"--identity": identity, "--ssh-config": ssh_config, "--jump": jump, "--ssh-client": ssh_client}
        if also := [flag for flag, value in options.items() if value]:
            raise UsageError(
                f"--file cannot be combined with {', '.join(also)}",
                why="the environment file defines hosts, zone, version and ssh options",
                hint="change the file, or leave out --file",
            )
        environment = requested_environment(run, name, file)
        if not environment.is_federation:
            raise UsageError(
                f"{file} describes an environment that is not a federation",
                hint="add spec.federation with a zone, or run: rancherctl env create",
            )
    elif name and zone:
        login = SshLogin(identity, ssh_config, jump, ssh_client)
        federation = _settings(zone, provider, server or ())
        environment = from_hosts(run, name, host or (), kubernetes, login, federation)
    else:
        missing = "name of the federation" if not name else "zone of the federation"
        raise UsageError(f"missing {missing}", hint="rancherctl federation create NAME --host … --zone DOMAIN …")
    _check_zone(run, environment, key)
    create_environment(run, environment, bundle, timeout, dry_run=dry_run, wait=not no_wait)
    if key is not None and not dry_run:
        _store_key(run, environment, key)


def _settings(zone: str, provider: str, servers: list[str] | tuple[str, ...]) -> FederationSettings:
    from rancherctl.environments.inventory import PROVIDERS
    from rancherctl.environments.model import FederationSettings
    from rancherctl.errors import UsageError

    if provider not in PROVIDERS:
        raise UsageError(f"--provider must be {' or '.join(PROVIDERS)}, not {provider!r}")
    return FederationSettings(zone.lower().rstrip("."), provider, tuple(servers))


def _check_zone(run: CommandRun, environment: Environment, key: TsigKey | None) -> None:
    """Refuse a zone that its servers do not serve, and a key that they refuse; say what could not be checked."""
    from rancherctl.errors import PreflightError
    from rancherctl.federation.operator.delegation import delegation, system_resolver
    from rancherctl.federation.operator.zone_check import check_zone

    federation = environment.federation
    if federation is None or federation.provider != "rfc2136":
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
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", why=str(error)) from error
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
