"""Why a unit ended, from the journal.

Of the lines of the process that died, those that name the cause.

A unit that is restarted at once may run again already, so its newest lines belong to another process. systemd gives
each start of a unit an invocation ID, and logs with that ID which one failed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rancherctl.hosts.remote.run import run

PROCESS_EXIT = "98e322203f7a4ed290d09fe03c09fe15"
UNIT_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
"""Message IDs of systemd (sd-messages.h): a process of a unit ended, and a unit failed."""
LINES = 2000
"""How many of a unit's last lines are searched."""
QUOTED = 3
LINE_LIMIT = 400
TEXT_LIMIT = 900
FIELDS = "MESSAGE,PRIORITY,INVOCATION_ID,_SYSTEMD_INVOCATION_ID,_STREAM_ID"

FATAL = re.compile(
    r"F\d{4} \d\d:|panic: |fatal error: |Error: |fatal: |\[ALERT\]"
    r'|.*"command failed" err=|.*"level":"(fatal|panic)"|.*\blevel=(fatal|panic)\b'
)
"""Last lines before a process ends.

Of klog, Go, cobra, HAProxy, Kubernetes, etcd (zap), containerd (logrus).
"""
ERROR = re.compile(r'E\d{4} \d\d:|[\w.]*(Error|Exception): |.*"level":"error"|.*\blevel=error\b')
CRITICAL_PRIORITY, ERROR_PRIORITY = 2, 3

JournalEntry = dict[str, Any]


def last_words(name: str, since: float) -> list[str]:
    """Up to QUOTED lines that say why the unit ended after ``since`` (host clock); [] if the journal has none."""
    run("journalctl", "--sync")  # includes what was logged a moment ago
    began = f"--since=@{int(since)}"
    failures = newest(1, began, "_PID=1", f"UNIT={name}", f"MESSAGE_ID={PROCESS_EXIT}", f"MESSAGE_ID={UNIT_FAILED}")
    entries = newest(LINES, began, f"_SYSTEMD_UNIT={name}", "+", "_PID=1", f"UNIT={name}")
    dead = str(failures[-1].get("INVOCATION_ID") or "") if failures else ""
    return chosen(name, of_ended(name, entries, dead))


def of_ended(name: str, entries: list[JournalEntry], dead: str) -> list[JournalEntry]:
    """The entries of the invocation that ended; all, if it is not known. Pure.

    On a busy host journald may read the lines of a process when that has gone, and then they have another ID or none:
    if no line of a process has the ID, the fatal ones of any are taken. A process that is stopped logs none.
    """
    if not dead:
        return entries
    found = of_invocation(entries, dead)
    if any(not _by_systemd(name, text) for entry in found for text in _texts(entry)):
        return found
    return [e for e in entries if any(_weight(text, e) == CRITICAL_PRIORITY for text in _texts(e))] or found


def of_invocation(entries: list[JournalEntry], wanted: str) -> list[JournalEntry]:
    """The entries of one invocation. Pure.

    journald looks up the invocation when it reads a line. For the last lines of a process that may be too late: they
    have no ID, or that of the unit's next start. So the first line of a stream (the standard output of one start)
    decides for all of it, and a line without an ID belongs to the invocation of the line before.
    """
    found, current = [], ""
    streams: dict[str, str] = {}
    for entry in entries:
        owner = current = str(entry.get("_SYSTEMD_INVOCATION_ID") or entry.get("INVOCATION_ID") or current)
        if stream := str(entry.get("_STREAM_ID") or ""):
            owner = streams.setdefault(stream, owner)
        if owner == wanted:
            found.append(entry)
    return found


def newest(count: int, *what: str) -> list[JournalEntry]:
    """The newest entries of the journal that match, oldest first; lines that are not JSON are skipped."""
    # Newest first, since with --since some releases of journalctl count from the other end.
    done = run(
        "journalctl", "-q", "--no-pager", "-r", "-n", str(count), "-o", "json", f"--output-fields={FIELDS}", *what
    )
    found = []
    for line in done.stdout.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found[::-1]


def chosen(name: str, entries: list[JournalEntry]) -> list[str]:
    """The lines to quote: fatal ones, else the last errors and the very last line, else the last lines. Pure.

    If the unit's processes logged nothing, for example because the program is missing, systemd's own lines are used.
    """
    lines = [(text, _weight(text, entry)) for entry in entries for text in _texts(entry)]
    own = [pair for pair, by_systemd in ((pair, _by_systemd(name, pair[0])) for pair in lines) if not by_systemd]
    found = own or [
        pair for pair in lines if pair[0].startswith(f"{name}: ") and "Scheduled restart job" not in pair[0]
    ]
    texts = [text for text, _ in found]
    fatal = [text for text, weight in found if weight == CRITICAL_PRIORITY]
    errors = [text for text, weight in found if weight == ERROR_PRIORITY]
    if fatal:
        picked = fatal[-QUOTED:]
    elif errors:
        picked = errors[-QUOTED:] if texts[-1] == errors[-1] else [*errors[-(QUOTED - 1) :], texts[-1]]
    else:
        picked = texts[-QUOTED:]
    return list(dict.fromkeys(text[:LINE_LIMIT] for text in picked))


def _by_systemd(name: str, text: str) -> bool:
    return text.startswith((f"{name}: ", "Started ", "Starting ", "Stopped ", "Stopping ", "Failed to start "))


def _texts(entry: JournalEntry) -> list[str]:
    """The lines of a message. In JSON, binary data is a list of numbers, a message that is too long is null."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        message = bytes(message).decode(errors="replace")
    return [line.strip() for line in message.splitlines() if line.strip()] if isinstance(message, str) else []


def _weight(text: str, entry: JournalEntry) -> int:
    """CRITICAL_PRIORITY, ERROR_PRIORITY or more, by the form of the line and the priority that the process set."""
    if FATAL.match(text):
        return CRITICAL_PRIORITY
    given = str(entry.get("PRIORITY", ""))
    priority = int(given) if given.isdigit() else ERROR_PRIORITY + 1
    return max(CRITICAL_PRIORITY, min(priority, ERROR_PRIORITY if ERROR.match(text) else priority))
