"""What an agent that restarts must still know: which addresses it has published, and when those that left did.

Kept until the next boot, as the rules in the kernel are. Times are of the clock of the kernel (CLOCK_MONOTONIC), which
all processes of one boot share.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rancherctl import files
from rancherctl.services.draining import Draining

log = logging.getLogger(__name__)
FILE: Final = "services.json"
"""Name of the file in the folder of the agent under /run."""


def read(file: Path | None) -> tuple[Draining, dict[str, str]]:
    """What ``write`` stored; nothing if it is missing or damaged."""
    if file is None:
        return Draining(), {}
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
        since = {str(key): float(at) for key, at in data["since"].items()}
        digests = {str(key): str(digest) for key, digest in data["draining"].items()}
        return Draining(published=frozenset(map(str, data["published"])), since=since), digests
    except FileNotFoundError:
        return Draining(), {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning("%s is not valid, addresses that left before are not served: %s", file, error)
        return Draining(), {}


def write(file: Path | None, state: Draining, digests: Mapping[str, str]) -> None:
    """Store it for the next process; does nothing if the file has it already. A full disk is logged only."""
    if file is None:
        return
    # The rest of ``since`` changes with every call and is found again at once: those Services are published.
    since = {key: at for key, at in state.since.items() if key not in state.published}
    text = json.dumps({"published": sorted(state.published), "since": since, "draining": dict(digests)}, sort_keys=True)
    try:
        if file.exists() and file.read_text(encoding="utf-8") == text:
            return
        files.replace(file, text.encode())
    except OSError as error:
        log.warning("cannot write %s: a restart of the agent forgets addresses that have left: %s", file, error)
