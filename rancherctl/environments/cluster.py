"""The environment's API during a run: a short-lived credential made in memory, objects planned and applied, nodes watched."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from rancherctl.change import Change, Plan
from rancherctl.environments.model import Environment, bracketed
from rancherctl.environments.pki import authority
from rancherctl.environments.pki.authority import KeyPair
from rancherctl.environments.pki.leaves import Leaf
from rancherctl.errors import NotFoundError, UnreachableError
from rancherctl.hosts.forward import Forward, Forwards
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import Json, KubeClient, Resource
from rancherctl.kube.rest import RestClient

MANAGER = "rancherctl"
RUN_CREDENTIAL = timedelta(hours=2)
PLURALS = {"IngressClass": "ingressclasses", "NetworkPolicy": "networkpolicies", "Endpoints": "endpoints"}
CLUSTER_WIDE = frozenset({"Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "IngressClass"})


def candidates(environment: Environment) -> list[tuple[str, int]]:
    """Where the API may be reached from here: each control-plane host's addresses, then what kubeconfigs use."""
    found = [(a, environment.api.port) for h in environment.with_role("controlplane") for a in (h.address, h.public_address) if a]
    if environment.api.address:
        found.append((environment.api.address, environment.api.port))
    return list(dict.fromkeys(found))


def reach(environment: Environment, ca: str, transport: Callable[[Host], Transport], timeout: float = 3.0) -> tuple[str, Forward | None]:
    """A URL at which this API answers from here; where none does, a port that is forwarded over ssh (close it in the end).

    Whoever answers must prove it by the authority: at a private address another network may have another host. The API's
    certificate names 127.0.0.1, so that the forwarded port is checked like the API itself. UnreachableError when nothing helps.
    """
    why = []
    trust = ssl.create_default_context(cadata=ca)
    for address, port in candidates(environment):
        try:
            with socket.create_connection((address, port), timeout) as plain, trust.wrap_socket(plain, server_hostname=address):
                return f"https://{bracketed(address)}:{port}", None
        except OSError as error:
            why.append(f"{address}:{port}: {error.strerror or error}")
    for host in environment.with_role("controlplane"):
        way = transport(host)
        if isinstance(way, Forwards):
            try:
                way.channel("127.0.0.1", environment.api.port).close()
            except UnreachableError as error:
                why.append(str(error))
                continue
            forward = Forward(way, "127.0.0.1", environment.api.port)
            return f"https://127.0.0.1:{forward.port}", forward
    what = f"the API of environment {environment.name} cannot be reached from here"
    raise UnreachableError(what, why="; ".join(why), hint="is the port open on the way?")


def run_credential(operator: str, ca: KeyPair, now: datetime) -> KeyPair:
    """An administrator's certificate for this run: made and kept in memory, valid for two hours."""
    return authority.issue(Leaf("operator", "ca", f"rancherctl:operator:{operator}"[:64], "system:masters"), ca, now, valid=RUN_CREDENTIAL)


def connect(url: str, ca: str, credential: KeyPair) -> RestClient:
    """A client with that credential."""
    return RestClient(url, ca=ca.encode(), cert=credential.crt.encode(), key=credential.key.encode())


def resource_of(body: Json) -> Resource:
    """The resource that a manifest is of."""
    group, _, version = body["apiVersion"].rpartition("/")
    kind = body["kind"]
    return Resource(group, version, PLURALS.get(kind, f"{kind.lower()}s"), kind, namespaced=kind not in CLUSTER_WIDE)


def contains(have: Any, want: Any) -> bool:
    """Whether everything in ``want`` is in ``have``; lists must have the same length. Pure."""
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(key in have and contains(have[key], value) for key, value in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and len(have) == len(want) and all(contains(h, w) for h, w in zip(have, want, strict=True))
    return bool(have == want)


def key_of(body: Json) -> str:
    """``Kind/namespace/name``."""
    meta = body["metadata"]
    return f"{body['kind']}/{meta.get('namespace', '')}/{meta['name']}"


def plan_objects(wanted: Sequence[Json], found: Mapping[str, Json]) -> Plan[Json]:
    """Changes from what the API has to what is wanted, in the order in which they can be made. Pure."""
    out = []
    for body in wanted:
        old = found.get(key_of(body))
        if old is None:
            out.append(Change(key_of(body), None, body))
        elif not contains(old, body):
            fields = ", ".join(sorted(k for k, v in body.items() if not contains(old.get(k), v)))
            out.append(Change(key_of(body), old, body, f"{fields} differ"))
    return Plan(tuple(out))


def find(client: KubeClient, wanted: Sequence[Json]) -> dict[str, Json]:
    """Those of the wanted objects that the API has."""

    def get(body: Json) -> Json | None:
        meta = body["metadata"]
        try:
            return client.get(resource_of(body), meta["name"], namespace=meta.get("namespace", ""))
        except NotFoundError:
            return None

    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="objects") as pool:
        found = list(pool.map(get, wanted))
    return {key_of(body): have for body, have in zip(wanted, found, strict=True) if have is not None}


def apply_objects(client: KubeClient, plan: Plan[Json]) -> None:
    """Server-side apply of each change, in order."""
    for change in plan:
        assert change.new is not None
        client.apply(resource_of(change.new), change.new, manager=MANAGER)
