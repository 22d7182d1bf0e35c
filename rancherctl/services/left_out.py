"""What only the leader knows about hosts and Services: it has measured it. Stored beside the roster. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_PAIRS: Final = 500
"""Pairs that are stored: the ConfigMap of the roster is read by every host."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """``refused`` maps (Service, host) to the reason for which the leader leaves the host out for a while.

    ``held`` hosts look broken and keep their addresses, because too many do so at once.
    """

    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()

    def to_json(self) -> str:
        """Text that ``parse`` reads; "" if there is nothing to say."""
        if not self.refused and not self.held:
            return ""
        pairs = [[service, host, why] for (service, host), why in sorted(self.refused.items())[:MAX_PAIRS]]
        return json.dumps({"refused": pairs, "held": sorted(self.held)}, separators=(",", ":"))


def parse(text: str) -> LeftOut:
    """What ``to_json`` wrote; nothing if it is missing or damaged: it explains decisions and makes none."""
    try:
        data: Any = json.loads(text or "{}")
        refused = {(str(service), str(host)): str(why) for service, host, why in data.get("refused", ())}
        return LeftOut(refused, frozenset(map(str, data.get("held", ()))))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return LeftOut()
