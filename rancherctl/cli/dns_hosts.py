"""What the verbs of ``dns`` share: asking the hosts of an environment over ssh, each by its agent's program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rancherctl.cli.context import CommandRun
from rancherctl.environments.model import Environment
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, UnreachableError, UsageError
from rancherctl.events import busy
from rancherctl.hosts.command import command
from rancherctl.hosts.fanout import HostOutcome, each
from rancherctl.hosts.model import Host

PYZ = "/opt/rancherctl/agent/current/agent.pyz"
_OURS = "<3>"
"""What agent.pyz puts before its one line of failure (systemd's mark of an error)."""
_ERRORS = {cls.exit_code: cls for cls in (UsageError, NotFoundError, AuthError, UnreachableError)}


def chosen(environment: Environment, host: str | None) -> tuple[Host, ...]:
    """All hosts, or the one asked for."""
    if host is None:
        return environment.hosts
    found = tuple(h for h in environment.hosts if h.name == host)
    if not found:
        raise NotFoundError(
            f"environment {environment.name} has no host {host!r}",
            hint=f"hosts: {', '.join(h.name for h in environment.hosts)}",
        )
    return found


def one_place(*, from_host: str | None, all_hosts: bool) -> None:
    """UsageError where --from-pod is not the only one that says who is asked."""
    if from_host is not None or all_hosts:
        raise UsageError(
            f"--from-pod and {'--all-hosts' if all_hosts else '--from-host'} were both given",
            why="a pod asks the server of its own host",
            hint="leave one of them out",
        )


def of_pod(run: CommandRun, env: str | None, pod: str) -> tuple[str, list[str]]:
    """The host of ``[NAMESPACE/]POD``, and what its agent's program needs to ask as that pod."""
    from rancherctl.cli.api import api
    from rancherctl.kube import objects
    from rancherctl.kube.client import PODS

    namespace, _, name = pod.rpartition("/")
    if not name:
        raise UsageError(f"{pod!r} names no pod", hint="--from-pod NAMESPACE/POD")
    with api(run, env) as client:
        found = objects.pod(client.get(PODS, name, namespace=namespace or "default"))
    if not found.ips or found.phase not in {"Pending", "Running"}:
        raise RancherctlError(
            f"pod {found.meta.key} has no network to ask from",
            why=f"its phase is {found.phase or 'not known'}",
            hint=f"rancherctl kubectl -n {found.meta.namespace} get pod {found.meta.name}",
        )
    return found.node, ["--pod-address", found.ips[0], "--namespace", found.meta.namespace]


def ask(run: CommandRun, hosts: Sequence[Host], *words: str, timeout: float = 30.0) -> dict[str, HostOutcome[Any]]:
    """The JSON that ``agent.pyz WORDS`` prints on each host."""
    with run.progress() as emit, run.connections() as connections:

        def one(host: Host) -> Any:
            with busy(emit, "dns", "being asked", host.name):
                done = connections.transport(host).run(
                    command("/usr/bin/python3", "-I", PYZ, *words, timeout=timeout), check=False
                )
            if not done.ok:
                raise _error(host.name, done.status, done.stderr.decode("utf-8", "replace"))
            return _answer(host.name, done.stdout)

        return each(hosts, one, interrupted=connections.close)


def nobody(outcomes: Mapping[str, HostOutcome[Any]]) -> UnreachableError | None:
    """The failure where not one host could be reached (that is no partial answer), else None."""
    errors = [outcome.error for outcome in outcomes.values()]
    if not errors or not all(isinstance(error, UnreachableError) for error in errors):
        return None
    return UnreachableError(
        "no host could be reached",
        why="; ".join(map(str, errors)),
        hint="rancherctl env status shows which hosts are down",
    )


def first(run: CommandRun, hosts: Sequence[Host], *words: str) -> Any:
    """The answer of the first host that gives one, control-plane hosts before the others."""
    problem: RancherctlError | None = None
    for host in sorted(hosts, key=lambda host: not host.is_a("controlplane")):
        outcome = ask(run, [host], *words)[host.name]
        if outcome.error is None:
            return outcome.value
        problem = problem or outcome.error
    assert problem is not None
    raise problem


def _answer(host: str, stdout: bytes) -> Any:
    """The last line: a login file may have printed something before it."""
    try:
        return json.loads(stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise RancherctlError(
            f"{host}: the answer is not what was expected: {stdout[-80:]!r}", why=str(error)
        ) from error


def _error(host: str, status: int, stderr: str) -> RancherctlError:
    line = next((text for text in reversed(stderr.splitlines()) if text.strip()), f"exit status {status}")
    # Only our own program's word counts for the kind: Python ends with 2, too, where there is no such program.
    kind = _ERRORS.get(status) if line.startswith(_OURS) else None
    return (kind or RancherctlError)(
        f"{host}: {line.removeprefix(_OURS)}", hint="" if kind else "is the host set up? `rancherctl env apply` does it"
    )
