"""Add, update and remove the entries of environments in the user's kubeconfig files; choose the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rancherctl.cli.completion_names import remember_names
from rancherctl.cli.context import CommandRun
from rancherctl.credentials import kubeconfig, kubeconfig_files, program, stanzas
from rancherctl.credentials.kubeconfig import Document, Json
from rancherctl.credentials.registry import Access
from rancherctl.credentials.stanzas import OnConflict, Stanza
from rancherctl.credentials.user_stores import user_registry


def stanza_of(access: Access, server: str = "") -> Stanza:
    """The kubeconfig entries of an environment; ``server`` replaces its own URL (for a tunnel)."""
    proxy = "" if server else access.proxy
    return Stanza(access.name, server or access.server, access.ca, access.uid, program.command(), proxy=proxy)


def merge(
    run: CommandRun,
    access: Access,
    *,
    context: str = "",
    on_conflict: OnConflict = "rename",
    use: bool | None = None,
    proxy: str | None = None,
) -> tuple[str, Path, bool]:
    """Add or update the entries; returns (context, file, whether anything changed).

    ``use`` None makes it the current context only if there is none. ``proxy`` None keeps the cluster's proxy-url.
    The context's name and the proxy-url are stored in the registry.
    ConflictError with ``on_conflict="fail"`` if an entry of another origin has the name.
    """
    files = run.kubeconfig_files()
    documents = readable(files)
    kubeconfig.merge(documents)  # refuses what kubectl cannot read, before anything is added to it
    path = file_for(
        files, documents, access.name, (context or access.context or access.name) if on_conflict == "replace" else ""
    )
    becomes_current = not any(d.data.get("current-context") for d in documents) if use is None else use
    first = documents[0].path if documents else path  # kubectl takes the current context from this one
    name = ""
    known = access

    def change(data: Json) -> Json:
        nonlocal name, access
        present = stanzas.proxy_of(data, stanza_of(access)) if proxy is None else proxy
        access = access if present is None else replace(access, proxy=present)
        others = [d.data for d in documents if d.path != path]
        new, name = stanzas.merged(
            data,
            stanza_of(access),
            context or access.context,
            on_conflict=on_conflict,
            use=becomes_current and first == path,
            others=others,
        )
        return new

    changed = kubeconfig_files.update(path, change, run.say)
    if becomes_current and first != path:
        changed |= kubeconfig_files.update(first, lambda data: {**data, "current-context": name}, run.say)
    remember_names(
        run.settings, "contexts", {name, *(other for d in documents for other in stanzas.names(d.data, "contexts"))}
    )
    if replace(access, context=name) != known:
        user_registry(run.settings.dirs).save(replace(access, context=name))
    return name, path, changed


def remove(run: CommandRun, environment: str, uid: str = "") -> tuple[Path, ...]:
    """Remove the entries that rancherctl added for an environment from all kubeconfig files.

    Returns the changed files.
    """
    documents = readable(run.kubeconfig_files())
    left = [stanzas.without(document.data, environment, uid) for document in documents]
    marked = {context for document in documents for _, context in stanzas.environments(document.data)}
    gone = marked.difference(*(stanzas.names(data, "contexts") for data in left))

    def change(data: Json) -> Json:
        return stanzas.without(data, environment, uid, gone)

    return tuple(
        d.path for d in documents if change(d.data) != d.data and kubeconfig_files.update(d.path, change, run.say)
    )


def file_for(files: tuple[Path, ...], documents: Sequence[Document], environment: str, replaced: str = "") -> Path:
    """The file with the environment's entries or the context to be ``replaced``, else kubectl's choice.

    kubectl writes to the first file that exists, else to the last one.
    """
    marked = [d.path for d in documents if environment in dict(stanzas.environments(d.data))]
    replacing = [d.path for d in documents if replaced and replaced in stanzas.names(d.data, "contexts")]
    return next(iter([*marked, *replacing, *(d.path for d in documents), files[-1]]))


def readable(files: tuple[Path, ...]) -> tuple[Document, ...]:
    """The files that exist, parsed."""
    return kubeconfig_files.read(kubeconfig_files.existing(files))
