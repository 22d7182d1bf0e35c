"""API clients for the commands that read or change Kubernetes objects.

An environment is accessed with this operator's own credential, a kubeconfig context with the credential in its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rancherctl.cli.api_route import api_route
from rancherctl.cli.completion_names import remember_names
from rancherctl.cli.context import CommandRun
from rancherctl.credentials.renewal import Renewal
from rancherctl.credentials.user_stores import user_renewal
from rancherctl.errors import PreflightError, RancherctlError, UnreachableError, UsageError
from rancherctl.kube.connect import Token
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.rest import RestClient
from rancherctl.text import plural

if TYPE_CHECKING:
    from rancherctl.kube.official import OfficialClient


@contextmanager
def api(run: CommandRun, env: str | None, context: str = "", allow_exec: bool = False) -> Iterator[RestClient]:
    """The thin client for the selected API; parameters and errors as for ``api_access``."""
    with api_access(run, env, context, allow_exec) as (server, token), RestClient(server, token=token) as client:
        yield client


@contextmanager
def apis(run: CommandRun, *names: str) -> Iterator[list[RestClient]]:
    """Clients for the APIs of several environments, each asked once, so that nothing is changed while one is away.

    The error of one is raised with its name; of several, one error names all.
    """
    with ExitStack() as stack:
        clients: list[RestClient] = []
        failed: list[RancherctlError] = []
        for name in names:
            try:
                client = stack.enter_context(api(run, name))
                client.raw("GET", "/version")
            except RancherctlError as error:
                error.what = f"{name}: {error.what}"
                failed.append(error)
            else:
                clients.append(client)
        if failed:
            raise _first(failed)
        yield clients


def _first(failed: Sequence[RancherctlError]) -> RancherctlError:
    """The only error, or one about all."""
    if len(failed) == 1:
        return failed[0]
    what, lines = f"{plural(len(failed), 'API')} cannot be used", [str(error) for error in failed]
    if all(isinstance(error, UnreachableError) for error in failed):
        return UnreachableError(what, why="; ".join(lines), hint=failed[0].hint)
    return PreflightError(what, lines, hint=failed[0].hint)


@contextmanager
def official_api(
    run: CommandRun, env: str | None, context: str = "", allow_exec: bool = False
) -> Iterator[OfficialClient]:
    """The official client for the selected API (docs/adr/0034); parameters and errors as for ``api_access``."""
    from rancherctl.kube.official import OfficialClient

    with (
        api_access(run, env, context, allow_exec) as (server, token),
        OfficialClient(server, token) as client,
    ):
        yield client


@contextmanager
def api_access(
    run: CommandRun, env: str | None, context: str = "", allow_exec: bool = False
) -> Iterator[tuple[ApiEndpoint, Token]]:
    """Endpoint and token of the selected environment, through ssh if its API is not reachable directly.

    NotFoundError if this machine has no credentials for it. With ``context`` those of a kubeconfig context;
    ``allow_exec`` runs its credential plug-in even if the file is not the user's own.
    """
    if context and env:
        raise UsageError(
            "--env cannot be combined with --context", why="each selects an API", hint="leave out one of them"
        )
    if allow_exec and not context:
        raise UsageError(
            "--allow-exec requires --context",
            why="environments do not use credential plug-ins of kubeconfig files",
            hint="add --context, or leave out --allow-exec",
        )
    if context:
        yield _of_context(run, context, allow_exec=allow_exec)
        return
    known = run.known()
    name = known.select(env or run.settings.env)
    renewal = user_renewal(run.settings.dirs, run.say)
    access = renewal.registry.load(name)

    with api_route(access, run.say) as found:
        yield ApiEndpoint(found.url, access.ca.encode() or None, proxy=found.proxy), EnvironmentToken(renewal, name)


@dataclass(frozen=True, slots=True)
class EnvironmentToken:
    """The cached token of an environment; a new one if the API server refuses it, as after the end of its session."""

    renewal: Renewal
    name: str

    def __call__(self) -> str:
        """The cached token, renewed if it is about to expire."""
        return self._token(self.renewal.document(self.name))

    def renew(self, refused: str) -> bool:
        """Replace the cached token if it is the refused one; whether the token is another one now."""
        if self() == refused:
            self.renewal.document(self.name, force=True)
        return self() != refused

    @staticmethod
    def _token(document: str) -> str:
        return str(json.loads(document)["status"]["token"])


def _of_context(run: CommandRun, context: str, *, allow_exec: bool) -> tuple[ApiEndpoint, Token]:
    from rancherctl.credentials.kubeconfig import merge, paths, resolve
    from rancherctl.credentials.kubeconfig_files import read, trusted
    from rancherctl.kube.connect import credentials

    settings = run.settings
    listed = paths("", {"KUBECONFIG": settings.kubeconfig_list, "HOME": str(settings.home)})

    def may_run(file: Path) -> bool:
        return allow_exec or trusted(file, listed, settings.home)

    config = merge(read(run.kubeconfig_files(), required=bool(settings.kubeconfig)))
    remember_names(settings, "contexts", config.contexts)
    return credentials(resolve(config, context), may_run, interactive=settings.interactive)
