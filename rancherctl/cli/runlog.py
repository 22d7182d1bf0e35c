"""The log file of one run below the XDG state folder: events, warnings of libraries and tracebacks; never secrets.

Events and exceptions carry no secrets; libraries log from INFO up, where paramiko writes no payloads.
"""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path
from typing import Final

KEPT: Final = 50
CHANGES: Final = ("env-create-", "env-apply-", "env-rm-")
CHANGES_KEPT: Final = 20
"""Logs of runs that change hosts are kept in addition.

Fifty status checks must not push out the only record of a change.
"""
_LOGGER: Final = "rancherctl"


def start(folder: Path, words: list[str]) -> Path:
    """Open this run's log file (0600), remove the oldest ones, and return its path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    label = "-".join(re.sub(r"[^a-z0-9]", "", word) for word in words[:2]) or "run"
    path = folder / f"{stamp}-{label}-{os.getpid()}.log"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.raiseExceptions = False  # otherwise a full disk prints a traceback for each line
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    logs = sorted(folder.glob("*.log"))
    changes = [log for log in logs if log.name.partition("-")[2].startswith(CHANGES)]
    for old in set(logs[:-KEPT]) - set(changes[-CHANGES_KEPT:]):
        old.unlink(missing_ok=True)
    return path


def discard() -> None:
    """Drop log messages: without any handler, Python would print warnings on the terminal."""
    logging.getLogger().addHandler(logging.NullHandler())


def logger() -> logging.Logger:
    """The program's logger."""
    return logging.getLogger(_LOGGER)
