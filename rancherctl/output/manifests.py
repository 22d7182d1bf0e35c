"""Changes of a set of manifests as a result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.change import Change, Plan
from rancherctl.output.results import Column, Listing

COLUMNS: Final = (
    Column("CHANGE", "change"),
    Column("KIND", "kind"),
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("WHY", "why"),
    Column("APIVERSION", "apiVersion", wide=True),
)


def change_listing(planned: Plan[Any], *, empty: str) -> Listing:
    """One row per change, in the order of the plan."""
    return Listing(
        "ManifestChange",
        [_row(change) for change in planned],
        COLUMNS,
        name=lambda row: "/".join(part for part in (row["kind"], row["namespace"], row["name"]) if part),
        empty=empty,
    )


def _row(change: Change[Mapping[str, Any]]) -> dict[str, Any]:
    shown = change.new if change.new is not None else change.old or {}
    meta = shown.get("metadata") or {}
    return {
        "change": change.verb,
        "kind": shown.get("kind", ""),
        "apiVersion": shown.get("apiVersion", ""),
        "namespace": meta.get("namespace", ""),
        "name": meta.get("name", ""),
        "why": change.why,
    }
