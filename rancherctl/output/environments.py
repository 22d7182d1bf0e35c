"""Plans, applies and removals of environments as results. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rancherctl.output.results import Column, Failure, Listing, Record, cell_text
from rancherctl.output.tables import table, visible
from rancherctl.text import and_more, plural

if TYPE_CHECKING:
    from rancherctl.environments.plan import EnvironmentPlan, Step
    from rancherctl.environments.reconcile import AppliedEnvironment
    from rancherctl.environments.removal.preview import RemovalPreview
    from rancherctl.environments.removal.remove import Removed

BRIEF: Final = 20
"""Up to this many steps are listed after an apply; more are summarised as numbers."""
UNKNOWN_HINT: Final = "their state is unknown and nothing is changed there; see rancherctl env status"
HOSTS_SHOWN: Final = 3
"""Hosts named in a row of the summary."""
_COLUMNS: Final = ("PACKAGES", "USERS", "FILES", "PROGRAMS", "CERTIFICATES", "UNITS", "OBJECTS")
_KINDS: Final = {
    "package": "PACKAGES",
    "user": "USERS",
    "artefact": "PROGRAMS",
    "certificate": "CERTIFICATES",
    "authority file": "CERTIFICATES",
    "unit": "UNITS",
}
_DETAILED: Final = ("unit", "certificate")
"""Kinds whose details are always shown.

Why a unit is restarted, and files that no other step lists (keys, files of units).
"""
_SIGNS: Final = {"create": "+", "install": "+", "upload": "+", "remove": "-", "change": "~"}

LIST_COLUMNS: Final = (
    Column("NAME", "name"),
    Column("DEFAULT", lambda item: "*" if item["chosen"] else ""),
    Column("KUBERNETES", "kubernetes"),
    Column("HOSTS", "hosts"),
    Column("API", "server"),
    Column("REACHABLE", "reachable"),
    Column("LABELS", "labels", wide=True),
    Column("PROBLEM", "problem", wide=True),
)


def plan_record(plan: EnvironmentPlan, *, wide: bool = False) -> Record:
    """An environment's plan; ``wide`` also shows the details of new things, not only of changed ones."""
    return Record(
        "EnvironmentPlan",
        plan_item(plan),
        text=plan_text(plan, wide=wide),
        name=plan.environment,
        failures=_unknown(plan),
        hint=UNKNOWN_HINT,
    )


def applied_record(applied: AppliedEnvironment, *, wide: bool = False) -> Record:
    """The result of an apply: the plan's fields, the duration and the API's URL.

    More than ``BRIEF`` steps are listed with ``wide`` only.
    """
    plan, done = applied.plan, not applied.failures
    item = {**plan_item(plan), "seconds": round(applied.seconds, 1), "server": applied.server}
    brief = not wide and len(plan.steps()) > BRIEF
    text = f"{summary_table(plan)}{summary(plan, done=done)}\n" if brief else plan_text(plan, wide=wide, done=done)
    failed = tuple(Failure(host, why.removeprefix(f"{host}: ")) for host, why in sorted(applied.failures.items()))
    failures = (*failed, *(f for f in _unknown(plan) if f.where not in applied.failures))
    return Record("EnvironmentPlan", item, text=text, name=plan.environment, failures=failures, hint=UNKNOWN_HINT)


def plan_text(plan: EnvironmentPlan, *, wide: bool = False, done: bool = False) -> str:
    """Phase by phase, hosts with equal steps together: one line per step, with file differences; then the numbers."""
    lines = []
    for found in plan.phases:
        lines.append(f"{found.name}: {found.title}")
        groups: dict[tuple[str, ...], list[str]] = {}
        for host, steps in groupby(found.steps, key=lambda step: step.host):
            groups.setdefault(tuple(_lines(steps, wide)), []).append(host or "API")
        for steps_lines, hosts in groups.items():
            lines += [f"  {', '.join(hosts)}", *steps_lines]
    lines += [f"? {visible(u.where)}: unknown ({visible(u.why)})" for u in plan.unknown]
    numbers = f"\n{summary_table(plan)}" if len(plan.steps()) > BRIEF else ""
    return "".join(f"{line}\n" for line in lines) + numbers + f"{summary(plan, done=done)}\n"


def _lines(steps: Iterable[Step], wide: bool) -> Iterator[str]:
    for step in steps:
        yield f"    {_SIGNS.get(step.verb, '*')} {visible(step.line())}"
        if wide or step.verb in ("change", "check") or step.kind in _DETAILED:
            yield from (f"        {visible(line)}" for line in step.detail)


def summary_table(plan: EnvironmentPlan) -> str:
    """Numbers of changes by kind, one row for hosts with equal numbers; empty columns are left out."""
    numbers: dict[str, Counter[str]] = {}
    for step in plan.steps():
        numbers.setdefault(step.host or "API", Counter())[
            _KINDS.get(step.kind, "FILES") if step.host else "OBJECTS"
        ] += 1
    columns = [title for title in _COLUMNS if any(count[title] for count in numbers.values())]
    rows: dict[tuple[str, ...], list[str]] = {}
    for host in sorted(numbers, key=lambda host: (host == "API", host)):
        rows.setdefault(tuple(cell_text(numbers[host][title] or None) for title in columns), []).append(host)
    return table(["HOSTS", *columns], [[and_more(hosts, shown=HOSTS_SHOWN), *cells] for cells, hosts in rows.items()])


def summary(plan: EnvironmentPlan, *, done: bool = False) -> str:
    """One line with the numbers of changes to make, or made with ``done``."""
    if not plan:
        return f"{plan.environment}: nothing to do{' on the hosts that answered' if plan.unknown else ''}"
    counts = ", ".join(
        f"{count} {past(verb)}" if done else f"{count} to {verb}" for verb, count in plan.counts().items()
    )
    hosts = len({step.host for step in plan.steps() if step.host})
    where = f" on {plural(hosts, 'host')}" if hosts else " in the API"
    return f"{plan.environment}: {counts}{where} (plan {plan.digest()})"


def past(verb: str) -> str:
    """``created`` for ``create``, ``stopped`` for ``stop``."""
    return f"{verb}d" if verb.endswith("e") else f"{verb}ped" if verb.endswith("op") else f"{verb}ed"


def _unknown(plan: EnvironmentPlan) -> tuple[Failure, ...]:
    return tuple(Failure(u.where, u.why) for u in plan.unknown)


def plan_item(plan: EnvironmentPlan) -> dict[str, Any]:
    """The plan for the envelope."""
    return {
        "environment": plan.environment,
        "digest": plan.digest(),
        "counts": plan.counts(),
        "phases": [{"name": p.name, "title": p.title, "steps": [_step(step) for step in p.steps]} for p in plan.phases],
        "warnings": list(plan.warnings),
    }


def _step(step: Step) -> dict[str, Any]:
    return {"host": step.host, "kind": step.kind, "verb": step.verb, "name": step.name, "detail": list(step.detail)}


def removal_listing(found: RemovalPreview) -> Listing:
    """What a removal would delete on each host."""
    items = [{"host": host, "remove": list(lines)} for host, lines in sorted(found.present.items())]
    columns = (
        Column("HOST", "host"),
        Column("TO REMOVE", lambda item: len(item["remove"])),
        Column("WHAT", "remove", wide=True),
    )
    failures = tuple(Failure(host, why) for host, why in sorted(found.unknown.items()))
    return Listing("HostToClear", items, columns, name="host", failures=failures, trouble="could not be checked")


def removed_listing(removed: Removed) -> Listing:
    """What was removed from each host, and what remains."""
    hosts = sorted({*removed.done, *removed.left})
    items = [
        {"host": host, "removed": list(removed.done.get(host, ())), "left": list(removed.left.get(host, ()))}
        for host in hosts
    ]
    columns = (
        Column("HOST", "host"),
        Column("REMOVED", lambda item: len(item["removed"])),
        Column("LEFT", lambda item: len(item["left"])),
        Column("REMAINING", "left", wide=True),
    )
    failures = tuple(
        Failure(host, f"remaining: {'; '.join(left)}") for host, left in sorted(removed.left.items()) if left
    )
    return Listing("RemovedHost", items, columns, name="host", failures=failures, trouble="not clean")
