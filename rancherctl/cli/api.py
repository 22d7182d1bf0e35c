"""A client for the API that is meant: the one way for nouns that read or change objects.

An environment is reached with this operator's own credential, a context of the kubeconfig files with what they say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rancherctl.cli.api_route import api_route
from rancherctl.cli.completion_names import remember_names
from rancherctl.cli.context import CommandRun
from rancherctl.credentials.user_stores import user_renewal
from rancherctl.errors import UsageError
from rancherctl.kube.rest import RestClient


@contextmanager
def api(run: CommandRun, env: str | None, context: str = "", allow_exec: bool = False) -> Iterator[RestClient]:
    """The API of the environment that is meant, through ssh where it cannot be reached. NotFoundError where there are no credentials for it.

    With ``context`` that of a kubeconfig context; ``allow_exec`` runs its credential plug-in even if the file is not the user's own.
    """
    if context and env:
        raise UsageError(
            "--env and --context were both given", why="each says which API is meant", hint="leave one of them out"
        )
    if allow_exec and not context:
        raise UsageError(
            "--allow-exec was given without --context",
            why="environments need nothing that a file names",
            hint="say which --context, or leave it out",
        )
    if context:
        with _by_context(run, context, allow_exec=allow_exec) as client:
            yield client
        return
    known = run.known()
    name = known.select(env or run.settings.env)
    renewal = user_renewal(run.settings.dirs, run.say)
    access = renewal.registry.load(name)

    def token() -> str:
        return str(json.loads(renewal.document(name))["status"]["token"])

    with api_route(access, run.say) as url, RestClient(url, ca=access.ca.encode(), token=token) as client:
        yield client


def _by_context(run: CommandRun, context: str, *, allow_exec: bool) -> RestClient:
    from rancherctl.credentials.kubeconfig import merge, paths, resolve
    from rancherctl.credentials.kubeconfig_files import read, trusted
    from rancherctl.kube import connect

    settings = run.settings
    listed = paths("", {"KUBECONFIG": settings.kubeconfig_list, "HOME": str(settings.home)})

    def may_run(file: Path) -> bool:
        return allow_exec or trusted(file, listed, settings.home)

    config = merge(read(run.kubeconfig_files(), required=bool(settings.kubeconfig)))
    remember_names(settings, "contexts", config.contexts)
    return connect.client(resolve(config, context), may_run, interactive=settings.interactive)
