"""Signing in to an environment: tokens from a control-plane host by ssh, how to get at the API, and the kubeconfig context."""

from __future__ import annotations

import getpass
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rancherctl.cli.context import Run
from rancherctl.credentials import kubeconfig_files, stanzas
from rancherctl.credentials.kubeconfig import Document, Json
from rancherctl.credentials.registry import Access
from rancherctl.credentials.renewal import Renewal, default, parse_issued
from rancherctl.credentials.tokens import operator_name
from rancherctl.environments.model import Environment
from rancherctl.environments.sign_in import PROGRAM, issue, sign_in
from rancherctl.errors import RancherctlError
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import NAMESPACES
from rancherctl.kube.rest import RestClient

PLUGIN: Final = "rancherctl-credential"


def sign_in_where_needed(run: Run, environment: Environment, transport: Callable[[Host], Transport], ca: str) -> None:
    """Sign in unless this machine already is, to this very environment (same authority, same address). ``ca`` is PEM text."""
    try:
        have = default(run.settings.dirs, run.say).registry.load(environment.name)
    except RancherctlError:
        have = None
    if have is None or (have.ca, have.server) != (ca, environment.server()):
        merge_context(run, sign_in_to(run, environment, transport, ca))


def sign_in_to(run: Run, environment: Environment, transport: Callable[[Host], Transport], ca: str) -> Access:
    """Sign this operator and machine in, and remember how: registry, refresh token, cached token. ``ca`` is PEM text."""
    renewal = default(run.settings.dirs, run.say)
    keeper = environment.with_role("controlplane")[0]
    machine = socket.gethostname()
    operator, session = operator_name(getpass.getuser()), operator_name(machine)
    issued = parse_issued(sign_in(transport(keeper), operator, session, machine), time.time())
    ways = [issue(host, operator, session) for host in environment.with_role("controlplane")]
    access = Access(
        environment.name,
        environment.server(),
        ca,
        operator,
        session,
        issued.session_uid,
        uid=_uid(environment, ca, str(issued.token.value)),
        context=_known_context(renewal, environment.name),
        issue=tuple(ways),
        tunnels=tuple(way[: way.index(PROGRAM)] for way in ways),
        targets=tuple(f"{host.address}:{environment.api.port}" for host in environment.with_role("controlplane")),
    )
    renewal.registry.save(access)
    renewal.accept(access, issued)
    return access


def _known_context(renewal: Renewal, name: str) -> str:
    try:
        return renewal.registry.load(name).context
    except RancherctlError:
        return ""


def _uid(environment: Environment, ca: str, token: str) -> str:
    """The uid of kube-system tells environments of one name apart; "" where the API cannot be reached from here."""
    try:
        with RestClient(environment.server(), ca=ca.encode(), token=token) as client:
            return str(client.get(NAMESPACES, "kube-system", timeout=5.0)["metadata"]["uid"])
    except RancherctlError:
        return ""


def merge_context(run: Run, access: Access) -> str:
    """Put the environment's context into the user's kubeconfig (a name of another origin is never taken); the context's name."""
    path = _file_for(run.kubeconfig_files(), access.name)
    stanza = stanzas.Stanza(access.name, access.server, access.ca, access.uid, plugin_command())
    name = ""

    def change(data: Json) -> Json:
        nonlocal name
        new, name = stanzas.merged(data, stanza, access.context, on_conflict="rename", use=not data.get("current-context"))
        return new

    if kubeconfig_files.update(path, change):
        run.say(f"context {name} is in {path}")
    return name


def plugin_command() -> str:
    """How kubeconfig files name the exec plug-in: its word where a shell finds it, else the path of the one that belongs to this program."""
    found = shutil.which(PLUGIN)
    beside = Path(sys.executable).with_name(PLUGIN)
    return PLUGIN if found and Path(found).resolve() == beside.resolve() else str(beside)


def forget(run: Run, name: str) -> None:
    """Take the environment out of the kubeconfig files, the token cache and the registry."""
    for document in _readable(run.kubeconfig_files()):
        kubeconfig_files.update(document.path, lambda data: stanzas.without(data, name))
    renewal = default(run.settings.dirs, run.say)
    renewal.forget(name)
    renewal.registry.forget(name)


def _file_for(files: tuple[Path, ...], environment: str) -> Path:
    """The file that has the environment already, else the first that exists, else the first."""
    there = _readable(files)
    ours = [d.path for d in there if environment in dict(stanzas.environments(d.data))]
    return next(iter([*ours, *(d.path for d in there), *files]))


def _readable(files: tuple[Path, ...]) -> tuple[Document, ...]:
    return kubeconfig_files.read([path for path in files if path.is_file()])
