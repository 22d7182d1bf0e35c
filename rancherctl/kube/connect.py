"""From a resolved kubeconfig context to a client."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rancherctl.credentials.execplugin import Plugin
from rancherctl.credentials.kubeconfig import Target
from rancherctl.errors import AuthError, RefusedError, UsageError
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.rest import RestClient
from rancherctl.proxy.choice import proxy_for

Token = str | Callable[[], str]
"""A bearer token, or a function that returns a valid one."""


def client(target: Target, trusted: Callable[[Path], bool], *, interactive: bool = False) -> RestClient:
    """A client for a context; parameters as for ``credentials``."""
    server, token = credentials(target, trusted, interactive=interactive)
    return RestClient(server, token=token)


def credentials(
    target: Target, trusted: Callable[[Path], bool], *, interactive: bool = False
) -> tuple[ApiEndpoint, Token]:
    """Server and token of a context.

    ``trusted`` decides whether a kubeconfig's plug-in may run, and its token file be read and sent to its server.
    """
    proxy = proxy_for(target.server, target.proxy, os.environ, target.proxy_origin)
    if target.username:
        raise UsageError(
            f"context {target.context}: a user name with a password is not supported",
            why="API servers since 1.19 refuse it",
        )
    cert, key = target.cert, target.key
    token: Token = str(target.token)
    if target.token_file:
        if target.source is not None and not trusted(target.source):
            raise RefusedError(
                f"{target.source}: the token file {target.token_file} was not read",
                why="the kubeconfig may come from an untrusted source, and its server would receive the file's content",
                hint="look at both, then allow it for this run with --allow-exec",
            )
        token = _reader(target.token_file, str(target.token))
    elif not token and not cert and target.exec:
        plugin = Plugin(target, trusted, interactive=interactive)
        first = plugin.credential()
        if first.cert:
            cert, key = first.cert, first.key
        token = plugin
    return ApiEndpoint(target.server, target.ca, cert, key, target.server_name, target.insecure, proxy), token


def _reader(path: Path, otherwise: str) -> Callable[[], str]:
    """The file's content, read at each call because tokens are renewed in place."""

    def read() -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as e:
            if otherwise:
                return otherwise
            raise AuthError(f"the token file {path} cannot be read", why=e.strerror or str(e)) from e

    return read
