"""The namespace ``shop`` of the federation and its members, and short ways to make and look at federated Services."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.rcode
import dns.rdatatype

from rancherctl.contract import FEDERATION_LABEL, FEDERATION_PREFIX
from tests.lab import workloads as w
from tests.lab.federation.sites import Sites
from tests.lab.support import Environment, until

Json = dict[str, Any]
SPACE = "shop"
PROPAGATED = f"condition={FEDERATION_PREFIX}Propagated"
PAUSE = 0.1


def open_shop(sites: Sites) -> None:
    """Make the namespace everywhere, with one pod of ``web`` in each member. Does nothing if it is there."""
    existing = {n["metadata"]["name"] for n in sites.acme.get("namespaces")["items"]}
    if SPACE not in existing:
        sites.acme.kubectl("create", "namespace", SPACE)
    for member in sites.members:
        open_space(member)
        member.apply(w.deployment(SPACE, "web", 1))
    for member in sites.members:
        w.ready(member, SPACE, "deployment", "web")


def open_space(member: Environment) -> None:
    """Make the namespace in a member, and open it to the federation, as people of the member do."""
    member.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    member.kubectl("label", "namespace", SPACE, f"{FEDERATION_LABEL}=acme", "--overwrite")


def body(name: str, *, port: int = 80, notes: dict[str, str] | None = None, **spec: Any) -> Json:
    """A Service of type LoadBalancer for the pods of ``web``; keys of ``notes`` have the federation's prefix.

    m2 has one host: of several Services at a time, each needs a ``port`` of its own to get an address there.
    """
    annotations = {f"{FEDERATION_PREFIX}{key}": value for key, value in (notes or {}).items()}
    ports = [{"name": "http", "port": port, "targetPort": w.PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": SPACE, "annotations": annotations},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": ports, **spec},
    }


def wait_for(sites: Sites, *names: str) -> None:
    """Wait as people do until the Services are in sync in all members."""
    services = [f"service/{name}" for name in names]
    sites.acme.kubectl("-n", SPACE, "wait", f"--for={PROPAGATED}", *services, "--timeout=60s")


def annotate(sites: Sites, name: str, note: str) -> None:
    """``key=value``, or ``key-``, of an annotation with the federation's prefix."""
    sites.acme.kubectl("-n", SPACE, "annotate", "--overwrite", "service", name, f"{FEDERATION_PREFIX}{note}")


def remove(sites: Sites, *names: str) -> None:
    sites.acme.kubectl("-n", SPACE, "delete", "service", *names, "--ignore-not-found", "--timeout=60s")


@contextmanager
def services(sites: Sites, *bodies: Json) -> Iterator[list[str]]:
    """Federated Services for the block; their names. They are gone from members and DNS when it ends."""
    names = [str(found["metadata"]["name"]) for found in bodies]
    try:
        sites.acme.apply(*bodies)
        yield names
    finally:
        remove(sites, *names)
    for member in sites.members:
        until(f"no copy in {member.name}", lambda m=member: all(absent(m, name) for name in names))


def service(env: Environment, name: str) -> Json:
    return env.get("service", name, "-n", SPACE)


def addresses(env: Environment, name: str) -> list[str]:
    found = service(env, name)["status"]["loadBalancer"].get("ingress") or []
    return [entry["ip"] for entry in found]


def condition(sites: Sites, name: str, kind: str) -> Json:
    found = service(sites.acme, name)["status"].get("conditions") or []
    return next((c for c in found if c["type"].endswith(f"/{kind}")), {})


def status(sites: Sites, name: str) -> Json:
    """What the annotation says of each member."""
    found: Json = json.loads(service(sites.acme, name)["metadata"]["annotations"][f"{FEDERATION_PREFIX}status"])
    return found


def member_state(sites: Sites, member: str, kind: str) -> Json:
    """A condition of a member."""
    found = sites.acme.get("clusters.federation.rancherctl.io", member).get("status", {}).get("conditions") or []
    return next((c for c in found if c["type"] == kind), {})


def absent(env: Environment, name: str) -> bool:
    return not env.kubectl("-n", SPACE, "get", "service", name, "--ignore-not-found", "-o", "name").strip()


def public_name(name: str, place: str = "") -> str:
    """A rung of a Service below the zone; ``place``: ``eu``, ``a.eu`` or "" for the last rung."""
    return ".".join(part for part in (name, SPACE, "acme.svc", place) if part)


def all_ready(sites: Sites) -> bool:
    return sites.acme.rancherctl("federation", "status").returncode == 0


def own_addresses(sites: Sites, name: str) -> dict[str, list[str]]:
    """The addresses that each member gives to its copy, once all have some and the public name has them all."""
    found = {m.name: until(f"address in {m.name}", lambda m=m: addresses(m, name)) for m in sites.members}
    every = sorted(a for own in found.values() for a in own)
    until(f"{name} is published", lambda: sites.public(public_name(name)) == every)
    return found


def published(sites: Sites, name: str) -> list[str]:
    """The addresses of all members, once the public name has them."""
    return sorted(a for own in own_addresses(sites, name).values() for a in own)


def scale(env: Environment, replicas: int) -> None:
    """The pods of ``web``; returns when they are there or gone."""
    env.kubectl("-n", SPACE, "scale", "deployment", "web", f"--replicas={replicas}")
    if replicas:
        w.ready(env, SPACE, "deployment", "web")
    else:
        until("no pods", lambda: not w.pods(env, SPACE, "web"))


@dataclass(frozen=True)
class Answer:
    """One answer of the public name server. ``at``: monotonic seconds."""

    at: float
    rcode: str
    addresses: tuple[str, ...]


@dataclass
class NameWatch:
    """Asks the public name server ten times a second, and keeps each answer that differs from the one before."""

    sites: Sites
    name: str
    answers: list[Answer] = field(default_factory=list)
    asked: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> NameWatch:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        until("first answer", lambda: self.asked)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(PAUSE):
            at = time.monotonic()
            try:
                message = self.sites.ask(self.name)
            except (dns.exception.DNSException, OSError):
                continue  # a busy machine loses a datagram: no answer says nothing
            found = sorted(str(i) for r in message.answer if r.rdtype == dns.rdatatype.A for i in r)
            answer = Answer(at, dns.rcode.to_text(message.rcode()), tuple(found))
            self.asked += 1
            if not self.answers or self.answers[-1].addresses != answer.addresses:
                self.answers.append(answer)

    def sets(self) -> list[tuple[str, ...]]:
        """The different answers, one after the other."""
        return [answer.addresses for answer in self.answers]

    def until(self, what: str, wanted: Sequence[str], since: float) -> float:
        """Wait for an answer with these addresses after ``since``; when it came (monotonic seconds)."""
        expected = tuple(sorted(wanted))

        def seen() -> float:
            return next((a.at for a in self.answers if a.at > since and a.addresses == expected), 0.0)

        return float(until(what, seen))

    def always(self, wanted: Sequence[str]) -> bool:
        return self.sets() == [tuple(sorted(wanted))]


def watch_for(seconds: float, holds: Callable[[], object]) -> None:
    """Call ``holds``, which asserts, again and again for a time in which something must not happen."""
    ended, deadline = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        holds()
        ended.wait(1.0)


PASSING = {"Event", "Lease", "EndpointSlice", "Endpoints", "PodMetrics", "NodeMetrics"}
"""Kinds whose objects come and go by themselves."""


def everything(env: Environment) -> dict[str, str]:
    """All objects of an environment: ``kind namespace/name`` and their JSON, without what servers note themselves."""
    kinds = env.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    found = json.loads(env.kubectl("get", ",".join(kinds), "-A", "-o", "json"))["items"]
    out = {}
    for obj in found:
        obj["metadata"].pop("managedFields", None)
        if obj["kind"] not in PASSING:
            meta = obj["metadata"]
            out[f"{obj['kind']} {meta.get('namespace', '')}/{meta['name']}"] = json.dumps(obj, sort_keys=True)
    return out


def traces(found: dict[str, str]) -> list[str]:
    """The objects that mention a federation in any field."""
    words = (FEDERATION_PREFIX, "rancherctl-federation-", "rancherctl:federation:")
    return sorted(key for key, text in found.items() if any(word in text for word in words))
