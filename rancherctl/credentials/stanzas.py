"""The kubeconfig entries of environments: built, merged into a file's content, found and removed. Pure: no I/O.

Each entry has a mark in ``extensions``, so that ``rm`` removes exactly the entries that rancherctl added, also
renamed ones.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rancherctl.contract import API_GROUP
from rancherctl.credentials.kubeconfig import LISTS, Json
from rancherctl.errors import ConflictError

MARK = API_GROUP
"""Name of the mark in ``extensions``."""
OnConflict = Literal["fail", "replace", "rename"]
INSTALL_HINT = "rancherctl-credential comes with rancherctl: pip install rancherctl"


@dataclass(frozen=True, slots=True)
class Stanza:
    """One environment in a kubeconfig file.

    ``uid`` distinguishes environments of the same name; ``command`` is the plug-in.
    """

    environment: str
    server: str
    ca: str
    uid: str = ""
    command: str = "rancherctl-credential"
    server_name: str = ""
    proxy: str = ""

    @property
    def entry_name(self) -> str:
        """Name of the cluster and of the user."""
        return f"rancherctl-{self.environment}"


def document(stanza: Stanza, context: str = "") -> Json:
    """A kubeconfig document with this environment only."""
    name = context or stanza.environment
    return {"apiVersion": "v1", "kind": "Config", **_parts(stanza, stanza.entry_name, name), "current-context": name}


def merged(
    data: Json,
    stanza: Stanza,
    context: str = "",
    *,
    on_conflict: OnConflict = "fail",
    use: bool = True,
    others: Sequence[Json] = (),
) -> tuple[Json, str]:
    """(the file's new content, the context's name). Existing entries of this environment are updated in place.

    ``on_conflict`` decides if an entry of another origin has the name, in this file or in ``others``, the files
    merged with it. ConflictError names that entry. ``use`` makes it the current context.
    """
    new = copy.deepcopy(data)
    new.setdefault("apiVersion", "v1")
    new.setdefault("kind", "Config")
    wanted = context or _marked_name(new, "contexts", stanza) or stanza.environment
    entry = _marked_name(new, "clusters", stanza) or stanza.entry_name
    wanted = _free((new, *others), ("contexts",), wanted, stanza, on_conflict)
    entry = _free((new, *others), ("clusters", "users"), entry, stanza, on_conflict)
    for kind, rows in _parts(stanza, entry, wanted).items():
        row = rows[0]
        inner = LISTS[kind]
        old = next((r for r in _rows(new, kind) if r.get("name") == row["name"]), None)
        if old is None:
            new[kind] = [*_rows(new, kind), row]
        else:
            old[inner] = _updated(old[inner], row[inner], inner) if _is_ours(old, inner, stanza) else row[inner]
    if use:
        new["current-context"] = wanted
    elif not isinstance(new.get("current-context"), str):
        new["current-context"] = ""
    return new, wanted


def without(data: Json, environment: str, uid: str = "", gone_elsewhere: Collection[str] = ()) -> Json:
    """The content without an environment's entries; with ``uid`` only those of that environment.

    The current context is unset if it is removed here or from another file (``gone_elsewhere``).
    """
    new = copy.deepcopy(data)
    gone = {
        kind: {r.get("name") for r in _rows(new, kind) if _marks(r, inner, environment, uid)}
        for kind, inner in LISTS.items()
    }
    for kind, names in gone.items():
        if names:
            new[kind] = [r for r in _rows(new, kind) if r.get("name") not in names]
    current = new.get("current-context")
    if current in gone["contexts"] or (isinstance(current, str) and current in gone_elsewhere):
        new["current-context"] = ""
    return new


def proxy_of(data: Json, stanza: Stanza) -> str | None:
    """The proxy-url of the environment's cluster in a file, "" for one without, None if the file does not have it."""
    found = next((r for r in _rows(data, "clusters") if _is_ours(r, "cluster", stanza)), None)
    return None if found is None else str(found["cluster"].get("proxy-url") or "")


def names(data: Json, kind: str) -> frozenset[str]:
    """The names of all entries of a kind (``contexts``)."""
    return frozenset(str(row.get("name", "")) for row in _rows(data, kind))


def environments(data: Json) -> Iterator[tuple[str, str]]:
    """(environment, context) for each context that rancherctl added."""
    for row in _rows(data, "contexts"):
        mark = _mark(row, "context")
        if mark:
            yield str(mark.get("environment", "")), str(row.get("name", ""))


def _parts(stanza: Stanza, entry: str, context: str) -> dict[str, list[Json]]:
    mark = [
        {"name": MARK, "extension": {"environment": stanza.environment, **({"uid": stanza.uid} if stanza.uid else {})}}
    ]
    cluster: Json = {"server": stanza.server}
    if stanza.ca:
        cluster["certificate-authority-data"] = base64.b64encode(stanza.ca.encode()).decode()
    if stanza.server_name:
        cluster["tls-server-name"] = stanza.server_name
    if stanza.proxy:
        cluster["proxy-url"] = stanza.proxy
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": stanza.command,
        "args": ["--env", stanza.environment],
        "interactiveMode": "Never",
        "installHint": INSTALL_HINT,
        "provideClusterInfo": True,
    }
    return {
        "clusters": [{"name": entry, "cluster": {**cluster, "extensions": mark}}],
        "users": [{"name": entry, "user": {"exec": plugin, "extensions": copy.deepcopy(mark)}}],
        "contexts": [
            {"name": context, "context": {"cluster": entry, "user": entry, "extensions": copy.deepcopy(mark)}}
        ],
    }


def _updated(old: Json, new: Json, inner: str) -> Json:
    """The new fields, with the user's own kept: the context's namespace and foreign extensions."""
    kept = {k: v for k, v in old.items() if inner == "context" and k == "namespace"}
    foreign = [e for e in old.get("extensions") or () if isinstance(e, dict) and e.get("name") != MARK]
    return {**new, **kept, "extensions": [*foreign, *new["extensions"]]}


def _free(files: Sequence[Json], kinds: Iterable[str], name: str, stanza: Stanza, on_conflict: OnConflict) -> str:
    """``name``, or with ``rename`` the first of name-2, name-3 … that no foreign entry of ``kinds`` has."""
    kinds = tuple(kinds)

    def foreign(candidate: str) -> str:
        for kind in kinds:
            if any(
                r.get("name") == candidate and not _is_ours(r, LISTS[kind], stanza)
                for data in files
                for r in _rows(data, kind)
            ):
                return LISTS[kind]
        return ""

    taken = foreign(name)
    if not taken or on_conflict == "replace":
        return name
    if on_conflict == "fail":
        hint = "use --on-conflict rename or replace, or choose a name with --context-name"
        raise ConflictError(
            f"{taken} {name!r} already exists in the kubeconfig files and is not rancherctl's", hint=hint
        )
    return next(candidate for n in range(2, 10_000) if not foreign(candidate := f"{name}-{n}"))


def _marked_name(data: Json, kind: str, stanza: Stanza) -> str:
    return next((str(r.get("name")) for r in _rows(data, kind) if _is_ours(r, LISTS[kind], stanza)), "")


def _is_ours(row: Json, inner: str, stanza: Stanza) -> bool:
    return _marks(row, inner, stanza.environment, stanza.uid)


def _marks(row: Json, inner: str, environment: str, uid: str) -> bool:
    """Whether the row has the mark of this environment; if both have a uid, it must be equal."""
    mark = _mark(row, inner)
    if mark is None or mark.get("environment") != environment:
        return False
    return not uid or not mark.get("uid") or mark["uid"] == uid


def _mark(row: Json, inner: str) -> dict[str, Any] | None:
    value = row.get(inner)
    extensions = value.get("extensions") if isinstance(value, dict) else None
    for e in extensions if isinstance(extensions, list) else ():
        if isinstance(e, dict) and e.get("name") == MARK and isinstance(e.get("extension"), dict):
            return dict(e["extension"])
    return None


def _rows(data: Json, kind: str) -> list[Json]:
    rows = data.get(kind)
    return [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []
