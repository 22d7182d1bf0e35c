"""Change hosts one after another: each must be healthy again before the next one is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rancherctl.environments.phases.host_resources import HostResources
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import RancherctlError
from rancherctl.hosts.model import Host
from rancherctl.polling import poll_until


def one_by_one(
    run: EnvironmentRun,
    phase: HostResources,
    hosts: Sequence[Host],
    work: Callable[[Host], None],
    left_out: Callable[[Host], str],
) -> None:
    """Do ``work`` on one host after another. If one fails, the rest drops out unchanged.

    ``left_out`` says why, by the host that failed.
    """
    for index, host in enumerate(hosts):
        run.each(phase, (host,), work)
        if host.name in run.failures:
            for left in hosts[index + 1 :]:
                run.failures[left.name] = RancherctlError(f"{left.name}: {left_out(host)}")
            return


def await_health(problem: Callable[[], str], seconds: float, *, what: str, hint: str) -> None:
    """Wait until ``problem`` returns ""; RancherctlError ``what`` with the last problem if it takes too long."""
    problems: list[str] = []

    def healthy() -> bool:
        problems.append(problem())
        return not problems[-1]

    if not poll_until(healthy, seconds):
        raise RancherctlError(what, why=problems[-1], hint=hint)
