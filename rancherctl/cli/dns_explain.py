"""``rancherctl dns explain``: ask the hosts, read the API, show the explanation, and choose the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rancherctl.cli.context import CommandRun
from rancherctl.cli.dns_hosts import PodSource, query_hosts, select_hosts
from rancherctl.cli.dns_lookup import STATUS, HostAnswers, require_agreement, split_outcomes
from rancherctl.dns import names
from rancherctl.dns.operator.api_objects import ApiObjects, read_objects
from rancherctl.dns.operator.asked import Asker
from rancherctl.dns.operator.explanation import Explanation
from rancherctl.dns.operator.explanation import explain as explained
from rancherctl.dns.operator.host_trace import HostTrace
from rancherctl.dns.records import Shape
from rancherctl.environments.model import Environment
from rancherctl.errors import NotFoundError, RancherctlError, UsageError
from rancherctl.output.dns_explain import explanation_record

TIMEOUT = 90.0
"""Seconds for one host: several questions of 3 s each if nothing answers."""


def explain(run: CommandRun, env: str | None, name: str, kind: str, namespace: str, pod: str | None) -> None:
    """Explain ``name`` as asked by any pod of ``namespace`` on every host, or by ``pod`` on its own."""
    environment = run.environment(env)
    domain = environment.dns.domain
    asker, host, options = _asker(run, env, namespace, pod)
    words = ["dns-explain", name, *([kind] if kind else []), *options]
    outcomes = query_hosts(run, select_hosts(environment, host), *words, timeout=TIMEOUT)
    values, failures = split_outcomes(outcomes)
    traces = [HostTrace.of(host, value) for host, value in values.items()]
    api = _read(run, env, environment, {name for trace in traces for name in trace.names()})
    zones = frozenset(names.all_zones(domain, _networks(environment)))
    found = explained(name.lower(), asker, traces, api, Shape(domain, zones))
    show(run, found, kind, failures)


def _networks(environment: Environment) -> list[str]:
    network = environment.network
    return [part.strip() for part in f"{network.service_cidr},{network.pod_cidr}".split(",")]


def _asker(run: CommandRun, env: str | None, namespace: str, pod: str | None) -> tuple[Asker, str | None, list[str]]:
    """Who asks, on which host (None = all), and the agent's options for it."""
    if pod is None:
        return Asker(namespace or "default"), None, ["--namespace", namespace or "default"]
    if namespace:
        raise UsageError(
            "--from-pod and --namespace cannot be used together",
            why="a pod has a namespace",
            hint="--from-pod NAMESPACE/POD",
        )
    source = PodSource.read(run, env, pod)
    spec, meta = source.body.get("spec") or {}, source.body["metadata"]
    # The kubelet knows a static pod by the hash of its file.
    uid = (meta.get("annotations") or {}).get("kubernetes.io/config.mirror") or meta["uid"]
    asker = Asker(
        meta["namespace"],
        source.key,
        spec.get("dnsPolicy") or "ClusterFirst",
        spec.get("dnsConfig") or {},
        bool(spec.get("hostNetwork")),
    )
    return asker, source.host, [*source.words, "--pod-uid", uid]


def _read(run: CommandRun, env: str | None, environment: Environment, asked: set[str]) -> ApiObjects:
    """The objects behind the names; without them the answers of the hosts are shown all the same."""
    from rancherctl.cli.api import api

    federations = frozenset(environment.dns.federations)
    try:
        with api(run, env) as client:
            return replace(read_objects(client, asked, environment.dns.domain), federations=federations)
    except RancherctlError as error:
        return ApiObjects(federations=federations, problem=str(error))


def show(run: CommandRun, found: Explanation, kind: str, failures: Mapping[str, str]) -> None:
    """Print the explanation, then raise what it means, as ``dns lookup`` does.

    NotFoundError: the name does not resolve. ConflictError: servers differ. UnreachableError: no server answered.
    PartialError: some hosts or servers did not answer.
    """
    run.show(explanation_record(found.item, failures), fail=False)
    decisive = found.decisive
    name, type_ = decisive.question
    common = require_agreement(HostAnswers(name, type_, decisive.answers, failures), decisive.comparison)
    if found.resolved:
        return
    if kind and common.rcode == "NOERROR" and not common.records:
        run.say(f"{name} has no {type_} records")
        return
    first = found.reasons[0] if found.reasons else None
    error = NotFoundError if common.rcode in ("NXDOMAIN", "NOERROR") else RancherctlError
    raise error(
        f"{found.item['name']} does not resolve",
        why=first.text if first else "",
        hint=first.hint if first and first.hint else STATUS,
    )
