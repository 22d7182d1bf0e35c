"""``rancherctl manifests``: sets of arbitrary manifests, applied and removed through the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import AllowExecOption, ConfirmOption, ContextOption, DryRunOption, EnvOption, OutputOption

if TYPE_CHECKING:
    from rancherctl.change import Plan
    from rancherctl.kube.client import Json
    from rancherctl.output.results import Listing

app = noun(
    "Apply and remove sets of Kubernetes manifests.",
    "rancherctl manifests apply shop -f ./shop --dry-run",
    "rancherctl manifests apply shop -f ./shop",
    "rancherctl manifests rm shop",
)

SetArgument = Annotated[str, typer.Argument(metavar="SET", help="Name of the set.")]
FilesOption = Annotated[
    list[str],
    typer.Option(
        "--file", "-f", metavar="FILE", help="A file or folder with manifests; - reads standard input; may be repeated."
    ),
]
NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", metavar="NAMESPACE", help="Namespace of the set, and of objects that do not name one."
    ),
]


@app.command("apply")
def apply_(
    name: SetArgument,
    file: FilesOption,
    namespace: NamespaceOption = "default",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that another field manager owns.")
    ] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Allow deleting more than 30 % of the set's objects.")
    ] = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Apply manifests as a named set; objects that are no longer in its files are deleted.

    Objects of any kind are applied server-side. The set remembers its objects in a ConfigMap: what leaves the files is
    deleted by the next apply. A second apply changes nothing. It does not wait for workloads to become ready.

    \b
    Examples:
      rancherctl manifests apply shop -f ./shop --dry-run
      rancherctl manifests apply shop -f ./shop -n shop
      kustomize build ./shop | rancherctl manifests apply shop -f -
    """
    from rancherctl.cli.api import official_api
    from rancherctl.cli.manifest_files import read_manifests
    from rancherctl.kube import manifest_sets

    run = current(env=env, output=output)
    manifests, inventory = read_manifests(file), manifest_sets.inventory_of(name, namespace)
    with run.progress() as emit, official_api(run, env, context, allow_exec) as client:
        complete = manifest_sets.with_namespace(manifests, namespace, client.resource)
        planned = manifest_sets.plan_set(
            client, complete, inventory, force=force_conflicts, allow_deletes=allow_deletes or dry_run
        )
        if not dry_run:
            manifest_sets.apply_set(client, planned, inventory, force=force_conflicts, emit=emit)
    run.show(_changes(planned, empty=f"set {name} is up to date"))


@app.command("rm")
def rm(
    name: SetArgument,
    namespace: NamespaceOption = "default",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    confirm: ConfirmOption = None,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Delete all objects of a set.

    Objects that were taken over by another set are kept.

    \b
    Examples:
      rancherctl manifests rm shop --dry-run
      rancherctl manifests rm shop -n shop --confirm shop
    """
    from rancherctl.cli.api import official_api
    from rancherctl.kube import manifest_sets
    from rancherctl.text import plural

    run = current(env=env, output=output)
    inventory = manifest_sets.inventory_of(name, namespace)
    with official_api(run, env, context, allow_exec) as client:
        planned = manifest_sets.plan_removal(client, inventory)
        if not dry_run:
            deletes = plural(planned.counts()["delete"], "object")
            run.confirm_name(f"This deletes {deletes} of set {name}.", name, confirm)
            with run.progress() as emit:
                manifest_sets.remove_set(client, planned, inventory, emit=emit)
    run.show(_changes(planned, empty=f"set {name} has no objects"))


def _changes(planned: Plan[Json], *, empty: str) -> Listing:
    from rancherctl.output.manifests import change_listing

    return change_listing(planned, empty=empty)
