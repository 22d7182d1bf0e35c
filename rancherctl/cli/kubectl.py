"""``rancherctl kubectl``.

The installed kubectl with an environment's context, through ssh if its API is not reachable directly.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import EnvOption
from rancherctl.credentials.registry import Access

app = noun("Run kubectl with an environment's context.")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def kubectl(
    env: EnvOption = None,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]", help="Arguments for kubectl, passed on unchanged.")
    ] = None,
) -> None:
    """Run kubectl with an environment's context.

    All arguments after --env are passed to kubectl, and its exit code is returned. Your kubeconfig files are neither
    read nor changed.

    \b
    Examples:
      rancherctl kubectl get nodes
      rancherctl kubectl --env demo get pods -A -o wide
      rancherctl kubectl --env demo apply -f app.yaml
    """
    from rancherctl.cli.api_route import environment_route, tunnel_notice
    from rancherctl.cli.exec_replace import exec_replace
    from rancherctl.cli.kubectl_program import find_kubectl
    from rancherctl.credentials.user_stores import user_registry

    run = current(env=env)
    access = user_registry(run.settings.dirs).load(run.known().select(run.settings.env))
    command = [find_kubectl(run, access.name), *(words or ())]
    if not access.tunnels:
        exec_replace(command, _with_kubeconfig(_kubeconfig(run, access, "")))
    with environment_route(access) as found:
        if not found.through:
            exec_replace(command, _with_kubeconfig(_kubeconfig(run, access, "")))
        run.say(tunnel_notice(access, found))
        raise typer.Exit(_run_with(command, _kubeconfig(run, access, found.url)))


def _run_with(command: list[str], kubeconfig: str) -> int:
    """The exit code of ``command`` with a temporary kubeconfig file, which is removed afterwards."""
    from pathlib import Path

    from rancherctl.cli.exec_replace import run_child

    try:
        return run_child(command, _with_kubeconfig(kubeconfig))
    finally:
        if not kubeconfig.startswith("/proc/"):
            Path(kubeconfig).unlink(missing_ok=True)


def _with_kubeconfig(path: str) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": path}


def _kubeconfig(run: CommandRun, access: Access, server: str) -> str:
    """Path of a kubeconfig file in the cache, or in memory if that cannot be written; without secrets.

    With ``server``, a tunnel of this process, one of its own.
    """
    from rancherctl.cli.kubeconfig_entries import stanza_of
    from rancherctl.credentials import documents, stanzas
    from rancherctl.files import replace as replace_file

    name = f"{access.name}-{os.getpid()}" if server else access.name
    path = run.settings.dirs.cache / "kubeconfigs" / f"{name}.yaml"
    data = documents.dump(stanzas.document(stanza_of(access, server)))
    try:
        if not path.is_file() or path.read_bytes() != data:
            replace_file(path, data)
    except OSError as error:
        if not hasattr(os, "memfd_create"):
            raise
        run.log(f"cannot write {path}: {error}")
        # not closed: kubectl opens it by this process's descriptor, also as the program that replaces this process
        handle = os.memfd_create("kubeconfig", 0)
        os.write(handle, data)
        return f"/proc/{os.getpid()}/fd/{handle}"
    return str(path)
