"""``rancherctl kubectl``: the real kubectl with an environment's context, through ssh where its API cannot be reached directly."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rancherctl.cli.context import Run, current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import EnvOption
from rancherctl.credentials.registry import Access

app = noun("Run kubectl with an environment's context.")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def kubectl(
    env: EnvOption = None,
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORDS]", help="What kubectl gets, unchanged.")] = None,
) -> None:
    """Run kubectl with an environment's context.

    Everything behind --env goes to kubectl as it is, and its exit code comes back. Your kubeconfig files are neither read nor changed.

    \b
    Examples:
      rancherctl kubectl get nodes
      rancherctl kubectl --env demo get pods -A -o wide
      rancherctl kubectl --env demo apply -f app.yaml
    """
    from rancherctl.cli.api_route import environment_route
    from rancherctl.cli.exec_replace import become
    from rancherctl.cli.kubectl_program import find
    from rancherctl.credentials.renewal import registry

    run = current(env=env)
    access = registry(run.settings.dirs).load(run.known().select(run.settings.env))
    program = find(run, access.name)
    command = [program, *(words or ())]
    if not access.tunnels:
        become(command, {**os.environ, "KUBECONFIG": _file(run, access, "")})
    with environment_route(access) as found:
        if not found.through:
            become(command, {**os.environ, "KUBECONFIG": _file(run, access, "")})
        run.say(f"the API at {access.server} cannot be reached from here: going through ssh to {found.through}")
        raise typer.Exit(_with_kubeconfig(command, _file(run, access, found.url)))


def _with_kubeconfig(command: list[str], path: str) -> int:
    from pathlib import Path

    from rancherctl.cli.exec_replace import attend

    try:
        return attend(command, {**os.environ, "KUBECONFIG": path})
    finally:
        Path(path).unlink(missing_ok=True)


def _file(run: Run, access: Access, server: str) -> str:
    """A kubeconfig in the cache, without a secret; one of its own for a tunnel, whose port is this run's."""
    from rancherctl.cli.contexts import stanza_of
    from rancherctl.credentials import documents, stanzas
    from rancherctl.files import replace as replace_file

    name = f"{access.name}-{os.getpid()}" if server else access.name
    path = run.settings.dirs.cache / "kubeconfigs" / f"{name}.yaml"
    data = documents.dump(stanzas.document(stanza_of(access, server)))
    if not path.is_file() or path.read_bytes() != data:
        replace_file(path, data)
    return str(path)
