"""Plans as text and as JSON: the same for ``plan`` and for what ``apply`` reports afterwards. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rancherctl.change import Change, Plan
from rancherctl.output.tables import visible

_SIGN = {"create": "+", "update": "~", "delete": "-"}
Describe = Callable[[Change[Any]], Iterable[str]]


def plan_text(title: str, plan: Plan[Any], describe: Describe | None = None) -> str:
    """A heading with counts, one line per change (with ``describe``: its details below, indented), and what could not be read."""
    counts = plan.counts()
    head = f"{title}: " + (", ".join(f"{n} to {verb}" for verb, n in counts.items() if n) or "nothing to do")
    lines = [head]
    for change in plan:
        lines.append(f"  {_SIGN[change.verb]} {visible(change.key)}" + (f"  ({visible(change.why)})" if change.why else ""))
        lines += [f"      {visible(line)}" for line in (describe(change) if describe else ())]
    lines += [f"  ? {visible(u.where)}: unknown ({visible(u.why)}); nothing is deleted there" for u in plan.unknown]
    return "".join(f"{line}\n" for line in lines)


def plan_item(plan: Plan[Any], describe: Describe | None = None) -> dict[str, Any]:
    """The plan for the JSON envelope: digest, counts, changes, unknown."""
    return {
        "digest": plan.digest(),
        "counts": dict(plan.counts()),
        "changes": [{"verb": c.verb, "key": c.key, "why": c.why, **({"details": list(describe(c))} if describe else {})} for c in plan],
        "unknown": [{"where": u.where, "why": u.why} for u in plan.unknown],
    }
