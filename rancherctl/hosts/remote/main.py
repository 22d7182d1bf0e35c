"""Entry point: run one operation of a program and print ``{"ok": answer}`` or ``{"error": line}``."""

from __future__ import annotations

import json
import sys
from typing import Any

from rancherctl.hosts.remote import disk


def main(program: str, request: dict[str, Any]) -> None:
    """Run the operation ``op`` of the request; ``program`` is the loaded module that lists it in ``OPERATIONS``."""
    disk.ROOT = request.get("root", "")
    try:
        answer: dict[str, Any] = {"ok": sys.modules[program].OPERATIONS[request["op"]](request)}
    except Exception as error:  # noqa: BLE001 - the border of the program: the caller needs a reason for every failure
        answer = {"error": disk.reason(error)}
    # on a line of its own: a login that prints a greeting must not spoil the answer
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
