"""``rancherctl federation ls``, ``status``, ``services``, ``drain``, ``undrain`` and ``sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.federation.options import FederationOption, federation_name
from rancherctl.cli.options import OutputOption
from rancherctl.errors import NotFoundError
from rancherctl.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rancherctl.kube.client import KubeClient

NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Only this namespace; default: all namespaces.")
]
MemberArgument = Annotated[str, typer.Argument(metavar="MEMBER", help="Name of a member.")]


def ls(federation: FederationOption = "", output: OutputOption = None) -> None:
    """List the members of a federation, and environments of this machine that are labelled to join it.

    \b
    Examples:
      rancherctl federation ls
      rancherctl federation ls --federation acme -o wide
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import overview
    from rancherctl.output.federation import member_listing

    run = current(output=output)
    name = federation_name(run, federation)
    with api(run, name) as client:
        view = overview.read(client)
    run.show(member_listing(overview.member_rows(view, name, _labelled(run, name))))


def _labelled(run: CommandRun, federation: str) -> dict[str, Mapping[str, str]]:
    """Labels of the environments known on this machine that are to be members, as their label says."""
    from rancherctl.environments.labels import FEDERATION
    from rancherctl.errors import InvalidInputError, NotFoundError

    found: dict[str, Mapping[str, str]] = {}
    for name in run.known().names():
        try:
            environment = run.known().read(name)
        except (InvalidInputError, NotFoundError) as error:
            run.log(f"the labels of {name} are unknown: {error}\n")
            continue
        if environment.labels.get(FEDERATION) == federation and not environment.is_federation:
            found[name] = environment.labels
    return found


def status_(federation: FederationOption = "", output: OutputOption = None) -> None:
    """Check the members of a federation: exit code 6 if one is down.

    A member is down if its API cannot be used, or if its addresses do not answer although it is not drained.

    \b
    Examples:
      rancherctl federation status
      rancherctl federation status --federation acme -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import overview
    from rancherctl.output.federation import member_listing

    run = current(output=output)
    with api(run, federation_name(run, federation)) as client:
        view = overview.read(client)
    down = [name for name, member in view.members.items() if overview.down(member)]
    run.show(member_listing(overview.member_rows(view), down))


def services(
    name: Annotated[str, typer.Argument(metavar="[SERVICE]", help="NAME or NAMESPACE/NAME; default: all.")] = "",
    namespace: NamespaceOption = "",
    federation: FederationOption = "",
    output: OutputOption = None,
) -> None:
    """List federated Services; of one, each member's part, and why an address is or is not published.

    \b
    Examples:
      rancherctl federation services
      rancherctl federation services shop/web
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import overview
    from rancherctl.output.federation import federated_listing, federated_record

    run = current(output=output)
    with api(run, federation_name(run, federation)) as client:
        view = overview.read(client)
    if name:
        row = overview.service_detail(view.service(name, namespace))
        run.show(federated_record(row, overview.service_text(row)))
    else:
        run.show(federated_listing(overview.service_rows(view, namespace)))


def drain(member: MemberArgument, federation: FederationOption = "", output: OutputOption = None) -> None:
    """Take a member out of the public names; its copies stay, and it gets no new ones.

    \b
    Examples:
      rancherctl federation drain frankfurt
      rancherctl federation drain frankfurt --federation acme
    """
    _suspend(member, federation, output, suspended=True)


def undrain(member: MemberArgument, federation: FederationOption = "", output: OutputOption = None) -> None:
    """Put a drained member back into the public names.

    \b
    Examples:
      rancherctl federation undrain frankfurt
      rancherctl federation undrain frankfurt --federation acme
    """
    _suspend(member, federation, output, suspended=False)


def _suspend(member: str, federation: str, output: str | None, *, suspended: bool) -> None:
    from rancherctl.cli.api import api
    from rancherctl.federation.cluster import CLUSTERS
    from rancherctl.federation.operator import overview

    run = current(output=output)
    name = federation_name(run, federation)
    with api(run, name) as client:
        found = overview.read(client).member(member, name)
        if found.suspended != suspended:
            client.patch(CLUSTERS, member, {"spec": {"suspended": suspended}})
    run.say(f"{member}: {'drained' if suspended else 'no longer drained'}")
    run.next("rancherctl federation services")


def sync(
    member: Annotated[str, typer.Argument(metavar="MEMBER|ZONE", help="A member, or the federation's public zone.")],
    force: Annotated[bool, typer.Option("--force", help="Carry out the deletes that are held, once.")] = False,
    federation: FederationOption = "",
    output: OutputOption = None,
) -> None:
    """Show what would be deleted without having been deleted in the federation; --force deletes it, once.

    Many copies that would go at once, although their Services were not deleted, are held: a wrong label of a member
    looks the same. Of the zone, names stay whose Services the federation no longer has.

    \b
    Examples:
      rancherctl federation sync frankfurt
      rancherctl federation sync frankfurt --force
      rancherctl federation sync acme.example --force
    """
    from rancherctl.cli.api import api

    run = current(output=output)
    name = federation_name(run, federation)
    settings = run.known().read(name).federation
    zone = settings.zone if settings is not None else ""
    asked = member.lower().rstrip(".")
    if "." in asked and asked != zone:
        raise NotFoundError(f"{member!r} is neither a member of {name} nor its zone", hint=f"its zone is {zone}")
    with api(run, name) as client:
        if asked == zone:
            _sync_zone(run, client, zone, force=force)
        else:
            _sync_member(run, client, name, member, force=force)


def _sync_member(run: CommandRun, client: KubeClient, federation: str, member: str, *, force: bool) -> None:
    from datetime import UTC, datetime

    from rancherctl.federation.cluster import CLUSTERS, SYNC_ANNOTATION
    from rancherctl.federation.operator import overview

    found = overview.read(client).member(member, federation)
    held = next((line for line in overview.problems(found) if line.startswith("Held")), "")
    if not held:
        run.say(f"{member}: nothing is held")
        return
    run.say(f"{member}: {held}")
    if force:
        note = {SYNC_ANNOTATION: datetime.now(UTC).isoformat(timespec="seconds")}
        client.patch(CLUSTERS, member, {"metadata": {"annotations": note}})
        run.say(f"{member}: the copies are being deleted")


def _sync_zone(run: CommandRun, client: KubeClient, zone: str, *, force: bool) -> None:
    from rancherctl.federation.operator import dns

    orphans = dns.read(client).orphans
    if not orphans:
        run.say(f"{zone}: no name belongs to nothing")
        return
    for finding in orphans:
        run.say(f"{finding.name}: {finding.why}")
    if force:
        deleted = dns.delete_orphans(client)
        run.say(f"{zone}: deleted {plural(len(deleted), 'name')}")
