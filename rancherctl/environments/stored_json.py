"""JSON in ConfigMaps that hosts and the controller write: any text is possible. Pure."""

from __future__ import annotations

import json
from typing import Any

from rancherctl.kube.client import Json


def json_field(body: Json | None, field: str) -> dict[str, Any]:
    """The object in a field of a ConfigMap; {} if it is missing or damaged."""
    try:
        value = json.loads(((body or {}).get("data") or {}).get(field, "{}"))
    except (ValueError, TypeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def report_section(body: Json | None, name: str) -> dict[str, Any]:
    """One section of a host's report; {} if there is none."""
    sections = json_field(body, "report").get("sections")
    section = sections.get(name) if isinstance(sections, dict) else None
    return section if isinstance(section, dict) else {}
