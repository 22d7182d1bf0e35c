"""What the ``dns`` section of a host's report says; the controller reads it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping


def service_problems(data: Mapping[str, str]) -> dict[str, str]:
    """``namespace/service`` → what could not be published, from a report ConfigMap's data; {} if it is damaged."""
    try:
        problems = json.loads(data.get("report", "{}"))["sections"]["dns"]["problems"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    if not isinstance(problems, dict):
        return {}
    return {str(name): text for name, text in problems.items() if isinstance(text, str) and "/" in name}
