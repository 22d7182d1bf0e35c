"""A result as ``table``, ``wide``, ``json``, ``yaml`` or ``name``. Pure: returns text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rancherctl.contract import API_VERSION
from rancherctl.output.results import Listing, Record, Result, cell_text
from rancherctl.output.tables import pairs, table, visible_lines

_UNESCAPED = re.compile("[\x7f-\x9f]")
"""Control characters that JSON does not escape; some terminals interpret them as commands."""


def render(result: Result, form: str = "table") -> str:
    """The text for standard output, newline included, without control characters that a terminal would interpret."""
    text = _render(result, form)
    if form == "json":
        return _UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text if form == "yaml" else visible_lines(text)


def _render(result: Result, form: str) -> str:
    if form in ("json", "yaml"):
        return _dump(envelope(result), form)
    if form == "name":
        return _names(result)
    if isinstance(result, Record):
        return (
            result.text
            if result.text is not None
            else pairs([(key, cell_text(value)) for key, value in result.item.items()])
        )
    columns = [column for column in result.columns if form == "wide" or not column.wide]
    return table([c.title for c in columns], [[c.cell(item) for c in columns] for item in result.items])


def envelope(result: Result) -> dict[str, Any]:
    """The versioned envelope: apiVersion, kind, then ``items`` (lists) or the record's fields, then ``errors``."""
    errors = [{"where": f.where, "message": f.what} for f in result.failures]
    if isinstance(result, Listing):
        return {
            "apiVersion": API_VERSION,
            "kind": f"{result.kind}List",
            "items": [dict(item) for item in result.items],
            "errors": errors,
        }
    return {"apiVersion": API_VERSION, "kind": result.kind, **result.item, "errors": errors}


def _names(result: Result) -> str:
    if isinstance(result, Record):
        return f"{result.kind.lower()}/{result.name}\n"
    name = result.name
    names = (str(item[name]) if isinstance(name, str) else name(item) for item in result.items)
    return "".join(f"{result.kind.lower()}/{text}\n" for text in names)


def _dump(value: Mapping[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    import yaml

    text: str = yaml.safe_dump(
        json.loads(json.dumps(value, default=str)), sort_keys=False, allow_unicode=True, width=10**6
    )
    return text
