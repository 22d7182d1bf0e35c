"""Sign in to an environment: get tokens from a control-plane host over ssh, store them and the kubeconfig context."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable

from rancherctl.cli import kubeconfig_entries
from rancherctl.cli.context import CommandRun
from rancherctl.credentials.registry import Access, proxy_origin
from rancherctl.credentials.renewal import Renewal, parse_issued
from rancherctl.credentials.tokens import operator_name
from rancherctl.credentials.user_stores import user_renewal, user_session
from rancherctl.environments.model import Environment
from rancherctl.environments.sign_in import PROGRAM, renewal_argv, sign_in_at_any
from rancherctl.errors import RancherctlError
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import NAMESPACES
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.rest import RestClient
from rancherctl.proxy.choice import Proxy, proxy_for


def sign_in_if_needed(
    run: CommandRun, environment: Environment, transport: Callable[[Host], Transport], ca: str
) -> None:
    """Sign in, unless this machine is signed in to an environment with the same authority ``ca`` (PEM) and URL."""
    try:
        known = user_renewal(run.settings.dirs, run.say).registry.load(environment.name)
    except RancherctlError:
        known = None
    if known is not None and known.ca != ca:
        # Another environment had this name: its context must not send tokens of this one to its server.
        forget(run, environment.name)
    if known is None or (known.ca, known.server) != (ca, environment.server()):
        merge_context(run, sign_in_to(run, environment, transport, ca))


def sign_in_to(run: CommandRun, environment: Environment, transport: Callable[[Host], Transport], ca: str) -> Access:
    """Sign in the operator on this machine; stores registry entry, refresh token and cached token.

    ``ca`` is PEM text.
    """
    renewal = user_renewal(run.settings.dirs, run.say)
    machine = socket.gethostname()
    operator, session = operator_name(getpass.getuser()), user_session(run.settings.dirs, machine)
    answer = sign_in_at_any(environment, transport, operator, session, machine)
    issued = parse_issued(answer, time.time())
    known = _known(renewal, environment.name)
    proxy = proxy_for(environment.server(), known.proxy if known else "", os.environ, proxy_origin(environment.name))
    commands = [renewal_argv(host, operator, session) for host in environment.with_role("controlplane")]
    access = Access(
        environment.name,
        environment.server(),
        ca,
        operator,
        session,
        issued.session_uid,
        uid=_uid(environment, ca, str(issued.token.value), proxy),
        context=known.context if known else "",
        proxy=known.proxy if known else "",
        issue=tuple(commands),
        tunnels=tuple(command[: command.index(PROGRAM)] for command in commands),
        targets=tuple(f"{host.address}:{environment.api.port}" for host in environment.with_role("controlplane")),
    )
    renewal.registry.save(access)
    renewal.accept(access, issued)
    return access


def _known(renewal: Renewal, name: str) -> Access | None:
    try:
        return renewal.registry.load(name)
    except RancherctlError:
        return None


def _uid(environment: Environment, ca: str, token: str, proxy: Proxy | None) -> str:
    """The uid of kube-system, which identifies an environment; "" if its API is not reachable without ssh."""
    try:
        endpoint = ApiEndpoint(environment.server(), ca.encode(), proxy=proxy)
        with RestClient(endpoint, token=token) as client:
            return str(client.get(NAMESPACES, "kube-system", timeout=5.0)["metadata"]["uid"])
    except RancherctlError:
        return ""


def merge_context(run: CommandRun, access: Access) -> str:
    """Add the environment's context to the user's kubeconfig and return its name.

    Entries of other origin are never replaced.
    """
    name, path, changed = kubeconfig_entries.merge(run, access)
    if changed:
        run.say(f"context {name} written to {path}")
    return name


def forget(run: CommandRun, name: str) -> None:
    """Remove the environment from the kubeconfig files, the token cache and the registry."""
    kubeconfig_entries.remove(run, name)
    renewal = user_renewal(run.settings.dirs, run.say)
    renewal.forget(name)
    renewal.registry.forget(name)
