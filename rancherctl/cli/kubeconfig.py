"""``rancherctl kubeconfig``: an environment's context in the operator's kubeconfig files."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import EnvArgument, OutputOption
from rancherctl.cli.streams import out
from rancherctl.credentials.registry import Access
from rancherctl.credentials.stanzas import OnConflict

app = noun(
    "Add, print and remove contexts of environments in kubeconfig files.",
    "rancherctl kubeconfig merge demo",
    "rancherctl kubeconfig show demo > demo.yaml",
)


def _printable(name: str) -> str:
    if not name.isprintable():
        raise typer.BadParameter("a name must be valid UTF-8 without control characters")
    return name


ContextOption = Annotated[
    str,
    typer.Option(
        "--context-name",
        metavar="NAME",
        callback=_printable,
        help="Name of the context. (default: the environment's name)",
    ),
]


def _access(run: CommandRun, name: str | None) -> Access:
    from rancherctl.credentials.user_stores import user_registry

    return user_registry(run.settings.dirs).load(run.known().select(name or run.settings.env))


@app.command("merge")
def merge(
    name: EnvArgument = None,
    context_name: ContextOption = "",
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            "--on-conflict",
            metavar="HOW",
            help="If another entry has the same name: fail, replace or rename.",
        ),
    ] = "fail",
    use: Annotated[bool, typer.Option("--use/--no-use", help="Make it the current context.")] = True,
    proxy_url: Annotated[
        str | None,
        typer.Option(
            "--proxy-url",
            metavar="URL",
            help="Proxy on the way to the API (http, https, socks5), also for rancherctl; '' removes it.",
        ),
    ] = None,
) -> None:
    """Add or update an environment's context in the kubeconfig file.

    The file is the one that already has the environment, else the first of $KUBECONFIG that exists, else
    ~/.kube/config. No token is written to it: kubectl gets tokens from the plug-in rancherctl-credential. Without
    --proxy-url, the cluster's proxy-url is kept, also one that kubectl config set-cluster wrote.

    \b
    Examples:
      rancherctl kubeconfig merge demo
      rancherctl kubeconfig merge demo --context-name production --no-use
      rancherctl kubeconfig merge demo --on-conflict rename
    """
    from rancherctl.cli import kubeconfig_entries
    from rancherctl.proxy.choice import parsed

    if proxy_url:
        parsed(proxy_url, "--proxy-url")
    run = current()
    found, path, changed = kubeconfig_entries.merge(
        run, _access(run, name), context=context_name, on_conflict=on_conflict, use=use, proxy=proxy_url
    )
    run.say(f"context {found} {'written to' if changed else 'is up to date in'} {path}")
    run.next(f"kubectl --context {shlex.quote(found)} get nodes")


@app.command("show")
def show(name: EnvArgument = None, context_name: ContextOption = "", output: OutputOption = None) -> None:
    """Print a kubeconfig file with this environment only.

    \b
    Examples:
      rancherctl kubeconfig show demo > demo.yaml
      rancherctl kubeconfig show demo -o json
    """
    import json

    from rancherctl.cli.kubeconfig_entries import stanza_of
    from rancherctl.credentials import documents, stanzas

    run = current(output=output)
    access = _access(run, name)
    data = stanzas.document(stanza_of(access), context_name or access.context)
    match run.settings.output:
        case "json":
            out(json.dumps(data, indent=2) + "\n")
        case "name":
            out(f"{data['current-context']}\n")
        case _:
            out(documents.dump(data).decode())


@app.command("rm")
def rm(name: Annotated[str, typer.Argument(metavar="ENV", help="Name of the environment.")]) -> None:
    """Remove an environment's entries from the kubeconfig files.

    Only entries that rancherctl added are removed, also if they were renamed. This machine stays signed in;
    `rancherctl-credential --env demo --revoke` ends its session and revokes all its tokens.

    \b
    Examples:
      rancherctl kubeconfig rm demo
      rancherctl kubeconfig rm demo --kubeconfig ./other.yaml
    """
    from rancherctl.cli import kubeconfig_entries
    from rancherctl.errors import NotFoundError

    run = current()
    changed = kubeconfig_entries.remove(run, name)
    if not changed:
        files = ", ".join(str(path) for path in run.kubeconfig_files())
        raise NotFoundError(
            f"no entries of environment {name!r} found",
            why=f"searched: {files}",
            hint="use the name of the environment, not of the context: rancherctl env ls",
        )
    for path in changed:
        run.say(f"environment {name} removed from {path}")
