"""Wait until an Ingress answers on the requested number of addresses."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.errors import RancherctlError, TimeoutExceededError, UnreachableError
from rancherctl.ingress.annotations.status_annotation import read_status
from rancherctl.ingress.annotations.table import GLOBAL
from rancherctl.ingress.operator import api_view, http_check
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.client import INGRESSES, GoneError, KubeClient, ServerError, ThrottledError
from rancherctl.kube.objects import Ingress, ingress
from rancherctl.placement.place import exclusion
from rancherctl.polling import poll_until
from rancherctl.text import plural

Checker = Callable[[list[http_check.HttpCheck]], list[http_check.HttpResult]]


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def versions(
    client: KubeClient,
    target: Ingress,
    deadline: float,
    *,
    wait: Callable[[float], None] = _wait,
    choose: random.Random | None = None,
) -> Iterator[Ingress]:
    """The Ingress now, and again after each change, until the deadline (monotonic seconds)."""
    backoff = Backoff(choose or random.Random())  # noqa: S311  # spreads load, protects nothing
    while time.monotonic() < deadline:
        stored = ingress(client.get(INGRESSES, target.meta.name, namespace=target.meta.namespace))
        yield stored
        try:
            for event in client.watch(
                INGRESSES,
                namespace=target.meta.namespace,
                resource_version=stored.meta.resource_version,
                field_selector=f"metadata.name={target.meta.name}",
                timeout=max(0.1, deadline - time.monotonic()),
            ):
                if event.type in {"ADDED", "MODIFIED"}:
                    yield ingress(event.object)
                if time.monotonic() >= deadline:
                    return
        except (GoneError, ServerError, ThrottledError, UnreachableError) as error:
            # Nothing arrived until the deadline, or the watch must be started again.
            if (left := deadline - time.monotonic()) > 0:
                wait(min(backoff.after(error), left))


def wait_until_answering(
    client: KubeClient, target: Ingress, number: int, timeout: float, run: Checker = http_check.run_checks
) -> list[http_check.HttpResult]:
    """Wait until ``number`` addresses are published and all answer.

    Returns the results of the last checks. RancherctlError if the environment has too few hosts even with all of them
    alive: waiting for one that starts or returns makes sense. TimeoutExceededError with what was seen last.
    """
    deadline = time.monotonic() + timeout
    seen = "its status could not be read"
    for current in versions(client, target, deadline):
        if (wanted := translate(current).options.wanted) != number:
            asked = plural(wanted, "instance") if wanted else f"all hosts, by the annotation {GLOBAL}"
            raise RancherctlError(
                f"{target.meta.key} will not get {plural(number, 'address', 'addresses')}",
                why=f"it now requests {asked}",
            )
        status = read_status(current.meta.annotations)
        too_few = status.get("reason") in {"TooFewHosts", "NoHosts"} and status.get("wanted") == number
        if too_few and _possible_hosts(client, current) < number:
            raise RancherctlError(
                f"{target.meta.key} cannot get {plural(number, 'address', 'addresses')}",
                why=str(status.get("message", "")),
                hint=f"rancherctl ingress plan {target.meta.key}",
            )
        if len(current.status) != number:
            message = status.get("message") or f"the annotation {STATUS_ANNOTATION} is not set"
            seen = f"{len(current.status)} of {number} addresses published; {message}"
            continue
        results = _check_until(current, run, deadline)
        failed = next((r for r in results if r.ok is False), None)
        if failed is None:
            return results
        seen = f"{failed.check.address}: {failed.result}"
    raise TimeoutExceededError(
        f"timed out after {timeout:g} s: {target.meta.key} does not answer on {number} addresses",
        why=seen,
        hint=f"rancherctl ingress show {target.meta.key}",
    )


def _possible_hosts(client: KubeClient, current: Ingress) -> int:
    """How many hosts of the roster could carry the Ingress if all were alive and had their ports free."""
    p = translate(current).for_placement
    roster = api_view.read_api(client).roster
    return sum(not exclusion(p, replace(host, alive=True, blocked=())) for host in roster.hosts)


def _check_until(current: Ingress, run: Checker, deadline: float) -> list[http_check.HttpResult]:
    """Repeat the checks until all succeed, or the deadline.

    An address may be published a moment before the network delivers packets to it.
    """
    checks = http_check.checks_for(translate(current), current.status)
    results: list[http_check.HttpResult] = []

    def succeeded() -> bool:
        results[:] = run(checks)
        return all(r.ok is not False for r in results)

    poll_until(succeeded, deadline - time.monotonic(), first=0.05)
    return results
