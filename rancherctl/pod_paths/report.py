"""The role's part of a host report. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rancherctl.pod_paths.model import HostPaths, from_section
from rancherctl.pod_paths.role_spec import SPEC


def parse_report(data: Mapping[str, str]) -> HostPaths | None:
    """What a host's report says about its pod paths; None if nothing. ``data`` is that of its ConfigMap."""
    try:
        sections = json.loads(data.get("report", "{}"))["sections"]
        return from_section(sections.get(SPEC.name))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
