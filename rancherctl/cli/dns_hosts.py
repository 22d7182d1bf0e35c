"""Run the agent's DNS commands on the hosts of an environment over ssh, for the verbs of ``dns``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rancherctl.cli.context import CommandRun
from rancherctl.contract import AGENT_PYZ
from rancherctl.environments.model import Environment
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, UnreachableError, UsageError
from rancherctl.events import busy
from rancherctl.hosts.command import command
from rancherctl.hosts.fanout import HostOutcome, each
from rancherctl.hosts.model import Host
from rancherctl.kube.objects import Pod

_ERROR_PREFIX = "<3>"
"""Prefix of the line with which agent.pyz reports a failure (systemd's error priority)."""
_UNKNOWN_COMMAND = "argument command: invalid choice"
_ERRORS = {cls.exit_code: cls for cls in (UsageError, NotFoundError, AuthError, UnreachableError)}


def select_hosts(environment: Environment, host: str | None) -> tuple[Host, ...]:
    """All hosts of the environment, or the one called ``host``."""
    if host is None:
        return environment.hosts
    found = tuple(h for h in environment.hosts if h.name == host)
    if not found:
        raise NotFoundError(
            f"environment {environment.name} has no host {host!r}",
            hint=f"hosts: {', '.join(h.name for h in environment.hosts)}",
        )
    return found


def require_single_source(*, from_host: str | None, all_hosts: bool) -> None:
    """Raise UsageError if --from-pod is combined with --from-host or --all-hosts."""
    if from_host is not None or all_hosts:
        raise UsageError(
            f"--from-pod and {'--all-hosts' if all_hosts else '--from-host'} cannot be used together",
            why="a pod queries the server of its own host",
            hint="omit one of them",
        )


def pod_source(run: CommandRun, env: str | None, pod: str) -> tuple[str, list[str]]:
    """The host of ``[NAMESPACE/]POD``, and the agent's arguments to query as that pod."""
    found = PodSource.read(run, env, pod)
    return found.host, found.words


@dataclass(frozen=True, slots=True)
class PodSource:
    """A pod that names are looked up from: its host, the agent's arguments, and the object."""

    host: str
    words: list[str]
    key: str
    body: Mapping[str, Any]

    @classmethod
    def read(cls, run: CommandRun, env: str | None, pod: str) -> PodSource:
        """Read ``[NAMESPACE/]POD`` from the API. RancherctlError if it has no network."""
        from rancherctl.cli.api import api
        from rancherctl.kube import objects
        from rancherctl.kube.client import PODS

        namespace, _, name = pod.rpartition("/")
        if not name:
            raise UsageError(f"{pod!r} is not a valid pod", hint="--from-pod [NAMESPACE/]POD")
        with api(run, env) as client:
            body = client.get(PODS, name, namespace=namespace or "default")
        found = objects.pod(body)
        _require_network(found)
        return cls(
            found.node, ["--pod-address", found.ips[0], "--namespace", found.meta.namespace], found.meta.key, body
        )


def _require_network(found: Pod) -> None:
    if not found.ips or found.phase not in {"Pending", "Running"}:
        raise RancherctlError(
            f"cannot query from pod {found.meta.key}: it has no network",
            why=f"its phase is {found.phase or 'unknown'}",
            hint=f"rancherctl kubectl -n {found.meta.namespace} get pod {found.meta.name}",
        )


Query = Callable[..., dict[str, HostOutcome[Any]]]
"""(hosts, *words, timeout) → the outcome of ``agent.pyz WORDS`` on each host: the JSON that it printed."""


@contextmanager
def host_queries(run: CommandRun) -> Iterator[Query]:
    """Run commands of the agent on hosts, several with the same connections."""
    with run.progress() as emit, run.connections() as connections:

        def query(hosts: Sequence[Host], *words: str, timeout: float = 30.0) -> dict[str, HostOutcome[Any]]:
            def one(host: Host) -> Any:
                with busy(emit, "dns", "querying", host.name):
                    done = connections.transport(host).run(
                        command("/usr/bin/python3", "-I", AGENT_PYZ, *words, timeout=timeout), check=False
                    )
                if not done.ok:
                    raise _error(host.name, done.status, done.stderr.decode("utf-8", "replace"))
                return _answer(host.name, done.stdout)

            return each(hosts, one, interrupted=connections.close)

        yield query


def query_hosts(
    run: CommandRun, hosts: Sequence[Host], *words: str, timeout: float = 30.0
) -> dict[str, HostOutcome[Any]]:
    """Run ``agent.pyz WORDS`` on each host and parse the JSON it prints."""
    with host_queries(run) as query:
        return query(hosts, *words, timeout=timeout)


def unreachable_error(outcomes: Mapping[str, HostOutcome[Any]]) -> UnreachableError | None:
    """The error if no host could be reached, else None (some answers are a partial result)."""
    errors = [outcome.error for outcome in outcomes.values()]
    if not errors or not all(isinstance(error, UnreachableError) for error in errors):
        return None
    return UnreachableError(
        "cannot reach any host",
        why="; ".join(map(str, errors)),
        hint="rancherctl env status shows which hosts are down",
    )


def first_answer(run: CommandRun, hosts: Sequence[Host], *words: str) -> Any:
    """The answer of the first host that responds, control-plane hosts first."""
    problem: RancherctlError | None = None
    for host in sorted(hosts, key=lambda host: not host.is_a("controlplane")):
        outcome = query_hosts(run, [host], *words)[host.name]
        if outcome.error is None:
            return outcome.value
        problem = problem or outcome.error
    assert problem is not None
    raise problem


def _answer(host: str, stdout: bytes) -> Any:
    """Parse the last line: login files may have printed something before it."""
    try:
        return json.loads(stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise RancherctlError(f"{host}: unexpected answer: {stdout[-80:]!r}", why=str(error)) from error


def _error(host: str, status: int, stderr: str) -> RancherctlError:
    line = next((text for text in reversed(stderr.splitlines()) if text.strip()), f"exit status {status}")
    if _UNKNOWN_COMMAND in line:
        return RancherctlError(
            f"{host}: its agent is older than this command line and does not know this command",
            hint="rancherctl env apply updates the hosts",
        )
    # Use the exit status only if the agent reported the error: Python also exits with 2 if the program is missing.
    kind = _ERRORS.get(status) if line.startswith(_ERROR_PREFIX) else None
    return (kind or RancherctlError)(
        f"{host}: {line.removeprefix(_ERROR_PREFIX)}",
        hint="" if kind else "is the host set up? `rancherctl env apply` does it",
    )
