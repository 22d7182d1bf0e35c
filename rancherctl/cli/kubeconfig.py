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
    "Contexts of environments in kubeconfig files.",
    "rancherctl kubeconfig merge demo",
    "rancherctl kubeconfig show demo > demo.yaml",
)


def _printable(name: str) -> str:
    if not name.isprintable():
        raise typer.BadParameter("a name has no control characters, and is text in UTF-8")
    return name


ContextOption = Annotated[
    str,
    typer.Option(
        "--context-name", metavar="NAME", callback=_printable, help="The context's name. (default: the environment's)"
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
            "--on-conflict", metavar="HOW", help="fail, replace or rename when an entry of another origin has the name."
        ),
    ] = "fail",
    use: Annotated[bool, typer.Option("--use/--no-use", help="Make it the current context.")] = True,
) -> None:
    """Put an environment's context into the kubeconfig file; a second time it brings the entry up to date.

    The file is the one that has the environment already, else the first of $KUBECONFIG that exists, else ~/.kube/config. It holds no token:
    kubectl runs rancherctl-credential.

    \b
    Examples:
      rancherctl kubeconfig merge demo
      rancherctl kubeconfig merge demo --context-name production --no-use
      rancherctl kubeconfig merge demo --on-conflict rename
    """
    from rancherctl.cli import kubeconfig_entries

    run = current()
    found, path, changed = kubeconfig_entries.merge(
        run, _access(run, name), context=context_name, on_conflict=on_conflict, use=use
    )
    run.say(f"context {found} {'is now' if changed else 'was already'} in {path}")
    run.next(f"kubectl --context {shlex.quote(found)} get nodes")


@app.command("show")
def show(name: EnvArgument = None, context_name: ContextOption = "", output: OutputOption = None) -> None:
    """Print a whole kubeconfig file with this environment only.

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
def rm(name: Annotated[str, typer.Argument(metavar="ENV", help="The environment's name.")]) -> None:
    """Take an environment's entries out of the kubeconfig files, and nothing else: they are known by their marks, whatever they are called.

    This machine stays signed in; `rancherctl-credential --env demo --revoke` ends its session and all its tokens.

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
            f"no entry of environment {name!r}",
            why=f"in {files}",
            hint="rancherctl kubeconfig rm takes the environment's name",
        )
    for path in changed:
        run.say(f"environment {name} is no longer in {path}")
