"""kubeconfig files as kubectl reads them: which files, how they are merged, what a context resolves to.

Pure except for paths.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rancherctl.errors import InvalidInputError, NotFoundError, UsageError
from rancherctl.secret import Secret
from rancherctl.settings import home
from rancherctl.text import did_you_mean

Json = dict[str, Any]
LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
"""List → key of the value beside ``name``."""
NOTHING = Secret()
EXEC_EXTENSION: Final = "client.authentication.k8s.io/exec"
_PROVIDERS: Final = {
    "gcp": (True, "use gke-gcloud-auth-plugin: gcloud container clusters get-credentials CLUSTER"),
    "azure": (True, "use kubelogin: kubelogin convert-kubeconfig"),
    "openstack": (True, "use client-keystone-auth as an exec plug-in"),
    "oidc": (False, "use kubectl-oidc_login as an exec plug-in: kubectl oidc-login setup"),
}
"""Auth provider → (whether kubectl 1.26 and later lack it, too; what replaces it)."""
_FIX_HINT = "kubectl config view shows the merged files; correct them with kubectl config or an editor"


@dataclass(frozen=True, slots=True)
class Document:
    """One file's content; ``path`` is absolute."""

    path: Path
    data: Json


@dataclass(frozen=True, slots=True)
class KubeconfigEntry:
    """A cluster, user or context as one file defines it."""

    name: str
    value: Json = field(repr=False)
    source: Path


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """Several files, merged."""

    clusters: Mapping[str, KubeconfigEntry]
    users: Mapping[str, KubeconfigEntry]
    contexts: Mapping[str, KubeconfigEntry]
    current: str = ""


@dataclass(frozen=True, slots=True)
class Exec:
    """The exec-credential plug-in of a kubeconfig user."""

    command: str
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    api_version: str
    interactive: str
    install_hint: str
    provide_cluster_info: bool
    source: Path
    config: Any = field(default=None, repr=False)
    """The plug-in's settings in the cluster's extension ``client.authentication.k8s.io/exec``."""


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved context. Paths are absolute; bytes are inline PEM.

    ``token_file`` is read at each use and takes precedence over ``token``.

    ``source`` is the file that defines the user, None for a context without one.
    """

    context: str
    server: str
    namespace: str = ""
    ca: Path | bytes | None = None
    cert: Path | bytes | None = None
    key: Path | bytes | None = field(default=None, repr=False)
    token: Secret = NOTHING
    token_file: Path | None = None
    username: str = ""
    password: Secret = NOTHING
    exec: Exec | None = None
    server_name: str = ""
    insecure: bool = False
    proxy: str = ""
    proxy_origin: str = "proxy-url"
    """Where ``proxy`` is set, for messages."""
    source: Path | None = None


def paths(explicit: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files by precedence.

    ``--kubeconfig`` alone, else $KUBECONFIG without empty and repeated parts, else ~/.kube/config.
    """
    if explicit:
        return (Path(explicit).absolute(),)
    listed = [Path(part).absolute() for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return tuple(dict.fromkeys(listed)) or (home(environ) / ".kube" / "config",)


def merge(documents: Iterable[Document]) -> Kubeconfig:
    """The first file with an entry defines it completely; the first current-context that is not empty counts.

    InvalidInputError lists everything that kubectl rejects, too: entries without names, duplicate names in a file,
    values of a wrong type.
    """
    found: dict[str, dict[str, KubeconfigEntry]] = {kind: {} for kind in LISTS}
    current = ""
    problems: list[str] = []
    for document in documents:
        for kind, inner in LISTS.items():
            for name, value in _entries(document, kind, inner, problems):
                found[kind].setdefault(name, KubeconfigEntry(name, value, document.path))
        current = current or _text(document.data, "current-context", str(document.path), problems)
    if problems:
        raise InvalidInputError("invalid kubeconfig files", problems, hint=_FIX_HINT)
    return Kubeconfig(found["clusters"], found["users"], found["contexts"], current)


def resolve(config: Kubeconfig, context: str = "") -> Target:
    """Resolve a context, by default the current one. NotFoundError if it, its cluster or its user does not exist."""
    name = context or config.current
    if not name:
        why = "contexts in the kubeconfig files: " + (", ".join(sorted(config.contexts)) or "none")
        raise NotFoundError("no current context", why=why, hint="set one: kubectl config use-context NAME")
    chosen = config.contexts.get(name)
    if chosen is None:
        hint = did_you_mean(name, config.contexts) or "check that $KUBECONFIG or --kubeconfig includes its file"
        raise NotFoundError(
            f"context {name!r} does not exist",
            why="contexts in the kubeconfig files: " + (", ".join(sorted(config.contexts)) or "none"),
            hint=hint,
        )
    problems: list[str] = []
    where = f"{chosen.source}: context {name}"
    cluster = config.clusters.get(_text(chosen.value, "cluster", where, problems))
    user = config.users.get(_text(chosen.value, "user", where, problems))
    if cluster is None:
        raise NotFoundError(f"{where}: cluster {chosen.value.get('cluster')!r} does not exist", hint=_FIX_HINT)
    if user is None and chosen.value.get("user"):
        raise NotFoundError(f"{where}: user {chosen.value.get('user')!r} does not exist", hint=_FIX_HINT)
    target = _target(name, _text(chosen.value, "namespace", where, problems), cluster, user, problems)
    if problems:
        raise InvalidInputError(f"context {name!r} is invalid", problems, hint=_FIX_HINT)
    return target


def _target(
    name: str, namespace: str, cluster: KubeconfigEntry, user: KubeconfigEntry | None, problems: list[str]
) -> Target:
    c, at = cluster.value, f"{cluster.source}: cluster {cluster.name}"
    server = _text(c, "server", at, problems)
    if not server:
        raise UsageError(f"{at}: server is missing", hint=_FIX_HINT)
    u: Json = user.value if user else {}
    by, home = (f"{user.source}: user {user.name}", user.source.parent) if user else ("", Path())
    _refuse_auth_provider(u, by)
    token_file = _text(u, "tokenFile", by, problems)
    return Target(
        context=name,
        server=server,
        namespace=namespace,
        ca=_pem(c, "certificate-authority", cluster.source.parent, at, problems),
        cert=_pem(u, "client-certificate", home, by, problems),
        key=_pem(u, "client-key", home, by, problems),
        token=Secret(_text(u, "token", by, problems)),
        token_file=home / token_file if token_file else None,
        username=_text(u, "username", by, problems),
        password=Secret(_text(u, "password", by, problems)),
        exec=(
            _exec(u["exec"], user.source, _extension(c, EXEC_EXTENSION), by, problems)
            if user and isinstance(u.get("exec"), dict)
            else None
        ),
        server_name=_text(c, "tls-server-name", at, problems),
        insecure=c.get("insecure-skip-tls-verify") is True,
        proxy=_text(c, "proxy-url", at, problems),
        proxy_origin=f"proxy-url of cluster {cluster.name} in {cluster.source}",
        source=user.source if user else None,
    )


def _refuse_auth_provider(user: Json, where: str) -> None:
    """UsageError for a user of an auth provider: kubectl dropped those of clouds in 1.26, exec plug-ins replace all."""
    provider = user.get("auth-provider")
    if not isinstance(provider, dict):
        return
    name = str(provider.get("name") or "")
    known, replacement = _PROVIDERS.get(
        name, (False, "ask the cluster's administrator for a user with an exec plug-in")
    )
    raise UsageError(
        f"{where}: auth-provider{f' {name}' if name else ''} is not supported",
        why="kubectl 1.26 removed the auth providers of clouds" if known else "exec plug-ins replace auth providers",
        hint=replacement,
    )


def _extension(value: Json, name: str) -> Any:
    """What a named extension of an entry holds, None if it is missing."""
    rows = value.get("extensions")
    found = [row for row in rows if isinstance(row, dict) and row.get("name") == name] if isinstance(rows, list) else []
    return found[0].get("extension") if found else None


def _exec(value: Json, source: Path, config: Any, where: str, problems: list[str]) -> Exec | None:
    where = f"{where}: exec"
    command = _text(value, "command", where, problems)
    args = value.get("args") or []
    env = value.get("env") or []
    if (
        not command
        or not isinstance(args, list)
        or not isinstance(env, list)
        or not all(isinstance(e, dict) for e in env)
    ):
        problems.append(f"{where}: command must be a string, args a list and env a list of mappings")
        return None
    if os.sep in command:
        command = str(source.parent / command)
    return Exec(
        command,
        tuple(str(a) for a in args),
        tuple((str(e.get("name", "")), str(e.get("value", ""))) for e in env),
        _text(value, "apiVersion", where, problems),
        _text(value, "interactiveMode", where, problems) or "IfAvailable",
        _text(value, "installHint", where, problems),
        value.get("provideClusterInfo") is True,
        source,
        config,
    )


def _pem(value: Json, key: str, home: Path, where: str, problems: list[str]) -> Path | bytes | None:
    """Inline data takes precedence over a path; a relative path is relative to its file."""
    if data := _text(value, f"{key}-data", where, problems):
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except binascii.Error:
            problems.append(f"{where}: {key}-data is not valid base64")
            return None
    path = _text(value, key, where, problems)
    return home / path if path else None


def _entries(document: Document, kind: str, inner: str, problems: list[str]) -> Iterable[tuple[str, Json]]:
    rows = document.data.get(kind) or []
    seen: set[str] = set()
    if not isinstance(rows, list):
        problems.append(f"{document.path}: {kind} must be a list")
        return
    for number, row in enumerate(rows):
        name = row.get("name") if isinstance(row, dict) else None
        value = (row.get(inner) or {}) if isinstance(row, dict) else None
        where = f"{document.path}: {kind}[{number}]"
        if not isinstance(name, str):
            problems.append(f"{where}: name must be a string")
        elif not isinstance(value, dict):
            problems.append(f"{where}: {inner} must be a mapping")
        elif name in seen:
            problems.append(f"{where}: duplicate name {name!r}")
        else:
            seen.add(name)
            yield name, value


def _text(value: Mapping[str, Any], key: str, where: str, problems: list[str]) -> str:
    found = value.get(key)
    if found is None or isinstance(found, str):
        return found or ""
    problems.append(f"{where}: {key} must be a string (put it in quotes)")
    return ""
