"""The entry: one JSON request in, one JSON answer out, ``{"ok": answer}`` or ``{"error": line}``."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, BinaryIO

from rancherctl.hosts.remote import disk

OPERATIONS = {
    "observe": ("observe", "observe"),
    "resolve": ("bundled", "resolve"),
    "apply": ("apply", "apply"),
    "remove": ("remove", "remove"),
    "offset": ("receive", "offset"),
    "receive": ("receive", "receive"),
    "lock": ("lock", "lock"),
}
"""Operation → module of this package and function; only what the operation needs is sent along."""


def main(request: dict[str, Any], stream: BinaryIO) -> None:
    """Do the operation ``op`` of the request; ``stream`` is standard input after the request."""
    disk.ROOT = request.get("root", "")
    # hardened hosts give root a umask that would close folders to the daemons that must read in them
    os.umask(0o022)
    try:
        answer: dict[str, Any] = {"ok": perform(request, stream)}
    except disk.StepError as error:
        answer = {"error": str(error)}
    except OSError as error:
        answer = {"error": f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")}
    # on a line of its own: a login that prints a greeting must not spoil the answer
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()


def perform(request: dict[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """The answer of one operation."""
    module, function = OPERATIONS[request["op"]]
    run = getattr(importlib.import_module(f"rancherctl.hosts.remote.{module}"), function)
    answer: dict[str, Any] = run(request, stream) if request["op"] == "receive" else run(request)
    return answer
