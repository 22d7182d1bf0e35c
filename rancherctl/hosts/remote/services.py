"""systemd units: enable, stop, restart, reload, start, and record which files each was started with.

``units.json`` under STATE: unit → ``{"restart": {path: fingerprint}, "reload": {path: fingerprint}}``, written after
the unit started. A run that is interrupted between writing a file and restarting the unit leaves the old record, so the
next plan restarts it.
"""

from __future__ import annotations

import time
from typing import Any

from rancherctl.hosts.remote import disk, journal
from rancherctl.hosts.remote.observe import fingerprint, units
from rancherctl.hosts.remote.run import run, run_checked

START_LIMIT = 240.0


def settle(wanted: list[dict[str, Any]], failed: dict[str, str]) -> None:
    """Bring the units to their wanted state; failures are added to ``failed`` (name → one line)."""
    run_checked("systemctl", "daemon-reload")
    for verb, names in (("enable", _named(wanted, "enable", True)), ("disable", _named(wanted, "enable", False))):
        if names:
            run_checked("systemctl", verb, *names)
    stamps = disk.Stamps()
    prints = {
        unit["name"]: {kind: {path: fingerprint(path, stamps) for path in unit[kind]} for kind in ("restart", "reload")}
        for unit in wanted
    }
    stamps.save()
    for action in ("stop", "restart", "reload", "start"):
        names = [unit["name"] for unit in wanted if unit["action"] == action]
        if not names:
            continue
        if action in ("restart", "start"):
            # a unit that failed too often refuses to start until its counter is cleared
            run("systemctl", "reset-failed", *names)
        began = time.time()  # the journal's clock
        # one call, so that systemd orders the units among themselves
        done = run("systemctl", action, *names, timeout=START_LIMIT)
        states = units(names)
        if action in ("restart", "start") and (
            moving := [name for name in names if _moving(states[name], done.returncode == 0)]
        ):
            done = run("systemctl", "start", *moving, timeout=START_LIMIT)
            states |= units(moving)
        for name in names:
            running = states[name].get("ActiveState") in ("active", "reloading")
            if (action == "stop") == running or (done.returncode != 0 and len(names) == 1):
                failed[name] = _reason(name, action, states[name], began)
    _remember(wanted, prints, failed)


def _moving(fields: dict[str, str], started: bool) -> bool:
    """Whether another process is stopping or starting the unit (as an agent does with HAProxy).

    A start waits for the end of that.

    ``started``: systemctl succeeded, so a unit that does not run was stopped since. A unit that waits for its automatic
    restart is not moving.
    """
    state, sub = fields.get("ActiveState"), fields.get("SubState")
    return (
        state == "deactivating"
        or (state == "activating" and sub != "auto-restart")
        or (state == "inactive" and started)
    )


def _named(wanted: list[dict[str, Any]], field: str, value: bool) -> list[str]:
    return [unit["name"] for unit in wanted if unit[field] is value]


def _remember(wanted: list[dict[str, Any]], prints: dict[str, Any], failed: dict[str, str]) -> None:
    kept = disk.read_state("units.json")
    before = dict(kept)
    for unit in wanted:
        name = unit["name"]
        if name in failed:
            continue
        if unit["active"]:
            kept[name] = prints[name]
        else:
            kept.pop(name, None)
    if kept != before:
        disk.write_state("units.json", kept)


def _reason(name: str, action: str, fields: dict[str, str], since: float) -> str:
    state = "/".join(filter(None, (fields.get("ActiveState"), fields.get("SubState"), fields.get("Result"))))
    try:
        quoted = " | ".join(journal.last_words(name, since))[: journal.TEXT_LIMIT]
    except disk.StepError as error:
        return f"{action} failed, the unit is {state}; its log cannot be read: {error}"
    return f"{action} failed, the unit is {state}" + (f"; its log says: {quoted}" if quoted else "")
