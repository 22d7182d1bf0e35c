"""Which hosts of an environment a removal concerns: not those of other environments, nor those that others use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rancherctl.environments import host_checks, layout
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.errors import AuthError, ConflictError, RancherctlError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts.facts import HostFacts, gather_facts
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Absent, Host
from rancherctl.hosts.observe import observe

MAIN_FOLDERS: Final = (places.ETC, places.PROGRAMS, places.DATA)
"""At least one of them exists from the first change of an apply until the last one of a removal."""


@dataclass(frozen=True, slots=True)
class ConcernedHosts:
    """``hosts`` to remove the environment from; ``failures``: host → why its facts could not be read.

    ``skipped``: hosts without anything of the environment, on which other software runs.
    """

    hosts: tuple[Host, ...]
    failures: Mapping[str, str]
    skipped: tuple[str, ...]


def concerned_hosts(environment: Environment, context: Context) -> ConcernedHosts:
    """Read the facts of all hosts and choose those that the removal concerns.

    ConflictError if a host belongs to another environment; UnreachableError or AuthError if all hosts fail like that.
    """
    facts, errors = gather_facts(
        environment.hosts,
        context.transport,
        emit=context.emit,
        limit=context.parallel,
        interrupted=context.observing_interrupted,
    )
    _refuse_if_all_failed(len(environment.hosts), errors)
    owners = {name: host_checks.owner(fact) for name, fact in facts.items()}
    foreign = {name: owner for name, owner in owners.items() if owner not in ("", environment.name)}
    if foreign:
        belongs = "; ".join(f"{name} belongs to {owner!r}" for name, owner in foreign.items())
        raise ConflictError(
            f"nothing was removed: {belongs}", hint="remove these hosts from the file, or name the right environment"
        )
    layout.refuse_newer(environment.name, (fact.marker or {} for fact in facts.values()))
    failures = {name: str(error) for name, error in errors.items()}
    skipped = _used_by_others(environment, context, facts)
    hosts = tuple(h for h in environment.hosts if h.name not in failures and h.name not in skipped)
    return ConcernedHosts(hosts, failures, skipped)


def _used_by_others(environment: Environment, context: Context, facts: Mapping[str, HostFacts]) -> tuple[str, ...]:
    """Hosts without anything of the environment on which foreign units such as a kubelet run; warns of each."""
    running = {
        name: lines
        for name, fact in facts.items()
        if not fact.marker and (lines := [*host_checks.conflicting_units(fact)])
    }
    candidates = [host for host in environment.hosts if host.name in running]
    found = each(
        candidates,
        lambda host: observe(context.transport(host), [Absent(path) for path in MAIN_FOLDERS]),
        context.parallel,
    )
    skipped = tuple(name for name, outcome in found.items() if outcome.ok and not outcome.get().states)
    for name in skipped:
        text = f"skipped: nothing of this environment is on it, and {running[name][0].partition(' (')[0]}"
        context.emit(Event("remove", text, name, "note", "warning"))
    return skipped


def _refuse_if_all_failed(total: int, failures: Mapping[str, RancherctlError]) -> None:
    """Raise UnreachableError or AuthError if all hosts failed with it: nothing was begun, so nothing is partial."""
    errors = list(failures.values())
    if (
        errors
        and len(errors) == total
        and len({type(e) for e in errors}) == 1
        and isinstance(errors[0], (UnreachableError, AuthError))
    ):
        what = "nothing was removed: no host could be checked" if len(errors) > 1 else "nothing was removed"
        raise type(errors[0])(what, why="; ".join(str(e) for e in errors), hint=errors[0].hint)
