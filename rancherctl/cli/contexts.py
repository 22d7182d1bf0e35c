"""The environments' entries in the operator's kubeconfig files: put there, printed, taken out; which file, and how the plug-in is called."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from rancherctl.cli.context import Run
from rancherctl.credentials import kubeconfig_files, stanzas
from rancherctl.credentials.kubeconfig import Document, Json
from rancherctl.credentials.registry import Access
from rancherctl.credentials.renewal import registry
from rancherctl.credentials.stanzas import OnConflict, Stanza

PLUGIN: Final = "rancherctl-credential"


def stanza_of(access: Access, server: str = "") -> Stanza:
    """The kubeconfig entries of an environment; ``server`` instead of its own address (a tunnel's end)."""
    return Stanza(access.name, server or access.server, access.ca, access.uid, plugin_command())


def merge(run: Run, access: Access, *, context: str = "", on_conflict: OnConflict = "rename", use: bool | None = None) -> tuple[str, Path, bool]:
    """(context, file, whether anything changed). ``use`` None = become the current context only where there is none.

    The context's name is remembered. ConflictError with ``on_conflict="fail"`` and a name of another origin.
    """
    path = file_for(run.kubeconfig_files(), access.name)
    name = ""

    def change(data: Json) -> Json:
        nonlocal name
        current = not data.get("current-context") if use is None else use
        new, name = stanzas.merged(data, stanza_of(access), context or access.context, on_conflict=on_conflict, use=current)
        return new

    changed = kubeconfig_files.update(path, change)
    if name != access.context:
        registry(run.settings.dirs).save(replace(access, context=name))
    return name, path, changed


def remove(run: Run, environment: str, uid: str = "") -> tuple[Path, ...]:
    """Take out what we wrote for an environment, from all kubeconfig files; the files that changed."""
    return tuple(
        document.path
        for document in readable(run.kubeconfig_files())
        if stanzas.without(document.data, environment, uid) != document.data
        and kubeconfig_files.update(document.path, lambda data: stanzas.without(data, environment, uid))
    )


def plugin_command() -> str:
    """How kubeconfig files name the exec plug-in: its word where a shell finds it, else the path of the one that belongs to this program."""
    found = shutil.which(PLUGIN)
    beside = Path(sys.executable).with_name(PLUGIN)
    return PLUGIN if found and Path(found).resolve() == beside.resolve() else str(beside)


def file_for(files: tuple[Path, ...], environment: str) -> Path:
    """The file that has the environment already, else the first that exists, else the last, as kubectl chooses."""
    there = readable(files)
    ours = [d.path for d in there if environment in dict(stanzas.environments(d.data))]
    return next(iter([*ours, *(d.path for d in there), files[-1]]))


def readable(files: tuple[Path, ...]) -> tuple[Document, ...]:
    """The files that exist."""
    return kubeconfig_files.read([path for path in files if path.is_file()])
