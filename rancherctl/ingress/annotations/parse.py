"""What annotations ask for: the number of instances, on which hosts, and which ones of ours nobody understands. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rancherctl.ingress.model import STATUS_ANNOTATION, Problem
from rancherctl.ingress.translate import validate

SCALE = "scale"
SCALE_LONG = "ingress.rancherctl.io/scale"
AFFINITY = "io.rancher.scheduler.affinity.host_label"
GLOBAL = "io.rancher.scheduler.global"
LEGACY_CLASS = "kubernetes.io/ingress.class"

OURS = ("ingress.rancherctl.io/", "io.rancher.")
KNOWN = frozenset({SCALE_LONG, AFFINITY, GLOBAL, STATUS_ANNOTATION})
RAW_CONFIG = frozenset({"config", "io.rancher.config", "ingress.rancherctl.io/config"})
MAX_SCALE = 10_000
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Wish:
    """``wanted`` instances (0 = every eligible host) on hosts that carry all labels of ``affinity``; ``placeable`` False: on none."""

    wanted: int
    affinity: tuple[tuple[str, str], ...]
    placeable: bool
    problems: tuple[Problem, ...]


def published_status(annotations: Mapping[str, str]) -> dict[str, object]:
    """The status annotation as the leader wrote it: texts and numbers; {} where it is absent or damaged (the leader writes it anew).

    Whoever may write the Ingress may write anything there: what is nested without end must not end the translation of all others.
    """
    try:
        data = json.loads(annotations.get(STATUS_ANNOTATION, "{}"))
    except (ValueError, RecursionError):
        return {}
    return (
        {key: value for key, value in data.items() if not isinstance(value, (list, dict))}
        if isinstance(data, dict)
        else {}
    )


def _last_good(annotations: Mapping[str, str], published: int) -> int:
    """As the leader noted it; where that is lost (`kubectl replace` takes foreign annotations away), as many as are ``published``."""
    wanted = published_status(annotations).get("wanted")
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= MAX_SCALE:
        return wanted
    return max(1, published)


def _scale(annotations: Mapping[str, str], published: int, problems: list[Problem]) -> int:
    short, long = annotations.get(SCALE), annotations.get(SCALE_LONG)
    text = long if long is not None else short
    if text is None:
        return 1
    if short is not None and long is not None and short.strip() != long.strip():
        problems.append(
            Problem("ScaleConflict", f"annotations {SCALE} and {SCALE_LONG} differ; {SCALE_LONG} counts", serious=False)
        )
    if _NUMBER.fullmatch(text.strip()) and int(text) <= MAX_SCALE:
        return int(text)
    kept = _last_good(annotations, published)
    problems.append(
        Problem(
            "InvalidScale",
            f"scale {validate.shown(text, 30)} is not a whole number from 1 to {MAX_SCALE}; {kept} is kept",
        )
    )
    return kept


def _affinity(annotations: Mapping[str, str], problems: list[Problem]) -> tuple[tuple[tuple[str, str], ...], bool]:
    text = annotations.get(AFFINITY, "").strip()
    if not text:
        return (), True
    try:
        return tuple(sorted(validate.label(part) for part in text.split(","))), True
    except ValueError as error:
        problems.append(
            Problem(
                "InvalidAffinity",
                f"annotation {AFFINITY}: {error}; the ingress is placed on no host until this is put right",
            )
        )
        return (), False


def _unknown(annotations: Mapping[str, str], problems: list[Problem]) -> None:
    raw = sorted(set(annotations) & RAW_CONFIG)
    if raw:
        problems.append(
            Problem(
                "RawConfigRefused",
                f"annotation {raw[0]}: raw HAProxy text is not taken; use ingress.rancherctl.io/… annotations",
            )
        )
    others = sorted(k for k in annotations if k.startswith(OURS) and k not in KNOWN and k not in RAW_CONFIG)
    if others:
        names = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        problems.append(Problem("UnknownAnnotation", f"not understood and ignored: {names}", serious=False))


def wish(annotations: Mapping[str, str], published: int = 0) -> Wish:
    """Read all annotations of one Ingress that bear on placement, with a problem for each that cannot be taken as it is.

    ``published`` is how many addresses its status has.
    """
    problems: list[Problem] = []
    everywhere = annotations.get(GLOBAL, "").strip().lower()
    if everywhere not in {"", "true", "false"}:
        problems.append(
            Problem(
                "InvalidGlobal",
                f"annotation {GLOBAL}: {validate.shown(everywhere, 30)} is neither true nor false; false counts",
            )
        )
    wanted = _scale(annotations, published, problems)
    if everywhere == "true":
        if SCALE in annotations or SCALE_LONG in annotations:
            problems.append(
                Problem(
                    "ScaleIgnored",
                    f"scale does not count while {GLOBAL} is true: it is on every eligible host",
                    serious=False,
                )
            )
        wanted = 0
    affinity, placeable = _affinity(annotations, problems)
    _unknown(annotations, problems)
    return Wish(wanted, affinity, placeable, tuple(problems))
