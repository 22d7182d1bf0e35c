"""Plans and states of environments as results. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rancherctl.output.results import Column, Failure, Listing, Record
from rancherctl.output.tables import visible

if TYPE_CHECKING:
    from rancherctl.environments.plan import EnvironmentPlan, Step
    from rancherctl.environments.remove import Removed

_SIGNS: Final = {"create": "+", "install": "+", "upload": "+", "remove": "-", "change": "~"}

LIST_COLUMNS: Final = (
    Column("NAME", "name"),
    Column("CHOSEN", lambda item: "*" if item["chosen"] else ""),
    Column("KUBERNETES", "kubernetes"),
    Column("HOSTS", "hosts"),
    Column("API", "server"),
    Column("REACHABLE", "reachable"),
    Column("LABELS", "labels", wide=True),
    Column("PROBLEM", "problem", wide=True),
)


def plan_record(plan: EnvironmentPlan, *, wide: bool = False) -> Record:
    """An environment's plan; ``wide`` shows the details of what is new as well as those of what changes."""
    unknown = tuple(Failure(u.where, u.why) for u in plan.unknown)
    return Record("EnvironmentPlan", plan_item(plan), text=plan_text(plan, wide=wide), name=plan.environment, failures=unknown)


def plan_text(plan: EnvironmentPlan, *, wide: bool = False) -> str:
    """Phase by phase, host by host, one line per step; differences of files below their step."""
    lines = []
    for found in plan.phases:
        lines.append(f"{found.name}: {found.title}")
        for host, steps in groupby(found.steps, key=lambda step: step.host):
            lines.append(f"  {host or 'API'}")
            for step in steps:
                lines.append(f"    {_SIGNS.get(step.verb, '*')} {visible(step.line())}")
                if wide or step.verb == "change":
                    lines += [f"        {visible(line)}" for line in step.detail]
    lines.append(summary(plan))
    return "".join(f"{line}\n" for line in lines)


def summary(plan: EnvironmentPlan) -> str:
    """One line: what there is to do, in numbers."""
    if not plan:
        return f"{plan.environment}: nothing to do"
    counts = ", ".join(f"{count} to {verb}" for verb, count in plan.counts().items())
    hosts = len({step.host for step in plan.steps() if step.host})
    return f"{plan.environment}: {counts} on {hosts} host{'s' if hosts != 1 else ''} (plan {plan.digest()})"


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


def removed_listing(removed: Removed) -> Listing:
    """What was taken off each host, and what is still there."""
    hosts = sorted({*removed.done, *removed.left})
    items = [{"host": host, "removed": list(removed.done.get(host, ())), "left": list(removed.left.get(host, ()))} for host in hosts]
    columns = (
        Column("HOST", "host"),
        Column("REMOVED", lambda item: len(item["removed"])),
        Column("LEFT", lambda item: len(item["left"])),
        Column("STILL THERE", "left", wide=True),
    )
    failures = tuple(Failure(host, f"still there: {'; '.join(left)}") for host, left in sorted(removed.left.items()) if left)
    return Listing("RemovedHost", items, columns, name="host", failures=failures, trouble="not clean")
