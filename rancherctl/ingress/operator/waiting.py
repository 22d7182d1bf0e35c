"""Waiting until an Ingress answers on as many addresses as were asked for."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from rancherctl.errors import RancherctlError, TimeoutExceededError, UnreachableError
from rancherctl.ingress import placement
from rancherctl.ingress.annotations.parse import GLOBAL, published_status
from rancherctl.ingress.model import STATUS_ANNOTATION
from rancherctl.ingress.operator import api_view, http_check
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.client import INGRESSES, GoneError, KubeClient, ServerError, ThrottledError
from rancherctl.kube.objects import Ingress, ingress

Asker = Callable[[list[http_check.Question]], list[http_check.Probe]]


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
    """The Ingress now, and each time it changes, until the deadline (monotonic seconds)."""
    backoff = Backoff(choose or random.Random())  # noqa: S311  # spreads load, protects nothing
    while time.monotonic() < deadline:
        stored = ingress(client.get(INGRESSES, target.meta.name, namespace=target.meta.namespace))
        yield stored
        selector = f"metadata.name={target.meta.name}"
        try:
            for event in client.watch(
                INGRESSES,
                namespace=target.meta.namespace,
                resource_version=stored.meta.resource_version,
                field_selector=selector,
                timeout=max(0.1, deadline - time.monotonic()),
            ):
                if event.type in {"ADDED", "MODIFIED"}:
                    yield ingress(event.object)
                if time.monotonic() >= deadline:
                    return
        except (GoneError, ServerError, ThrottledError, UnreachableError) as error:
            # Silence up to the deadline, or a watch that must begin anew.
            if (left := deadline - time.monotonic()) > 0:
                wait(min(backoff.after(error), left))


def answering(
    client: KubeClient, target: Ingress, number: int, timeout: float, ask: Asker = http_check.ask_all
) -> list[http_check.Probe]:
    """Wait until ``number`` addresses are published and each answers.

    RancherctlError when the environment has too few hosts for it, also if all of them were alive: one that starts or comes back is worth the
    wait. TimeoutExceededError with what was seen last.
    """
    deadline = time.monotonic() + timeout
    seen = "its status was not seen"
    for current in versions(client, target, deadline):
        if (wanted := translate(current).wanted) != number:
            asked = str(wanted) if wanted else f"all hosts, by the annotation {GLOBAL}"
            raise RancherctlError(
                f"{target.meta.key} is not to have {number} addresses", why=f"it asks for {asked} now"
            )
        note = published_status(current.meta.annotations)
        few = note.get("reason") in {"TooFewHosts", "NoHosts"} and note.get("wanted") == number
        if few and _could_carry(client, current) < number:
            raise RancherctlError(
                f"{target.meta.key} cannot have {number} addresses",
                why=str(note.get("message", "")),
                hint=f"rancherctl ingress plan {target.meta.key} shows why",
            )
        if len(current.status) != number:
            seen = f"{len(current.status)} of {number} addresses are published; {note.get('message') or f'{STATUS_ANNOTATION} says nothing'}"
            continue
        probes = _patient(current, ask, deadline)
        bad = [p for p in probes if p.ok is False]
        if not bad:
            return probes
        seen = f"{bad[0].question.address}: {bad[0].result}"
    raise TimeoutExceededError(
        f"{target.meta.key} does not answer on {number} addresses within {timeout:.0f} s",
        why=seen,
        hint=f"rancherctl ingress show {target.meta.key}",
    )


def _could_carry(client: KubeClient, current: Ingress) -> int:
    """How many hosts of the roster fit the Ingress, whether they live now or not."""
    wanted = translate(current)
    return sum(
        not placement.exclusion(wanted, replace(host, alive=True, blocked=()))
        for host in api_view.look(client).roster.hosts
    )


def _patient(current: Ingress, ask: Asker, deadline: float) -> list[http_check.Probe]:
    """Probe again with growing pauses: an address may be published a moment before the network carries packets there."""
    questions = http_check.questions(translate(current), current.status)
    pause = 0.05
    while True:
        probes = ask(questions)
        if all(p.ok is not False for p in probes) or time.monotonic() + pause >= deadline:
            return probes
        _wait(pause)
        pause = min(pause * 2, 2.0)
