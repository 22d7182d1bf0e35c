"""The environment's API during a run: where it is reached from here, and a short-lived credential made in memory."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from rancherctl.environments.model import Environment, bracketed
from rancherctl.environments.pki import authority
from rancherctl.environments.pki.authority import KeyPair
from rancherctl.environments.pki.leaves import Leaf
from rancherctl.errors import UnreachableError
from rancherctl.hosts.forward import Forward, Forwards
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport
from rancherctl.kube.rest import RestClient

RUN_CREDENTIAL = timedelta(hours=2)


def candidates(environment: Environment) -> list[tuple[str, int]]:
    """Where the API may be reached from here: each control-plane host's addresses, then what kubeconfigs use."""
    found = [
        (a, environment.api.port)
        for h in environment.with_role("controlplane")
        for a in (h.address, h.public_address)
        if a
    ]
    if environment.api.address:
        found.append((environment.api.address, environment.api.port))
    return list(dict.fromkeys(found))


def reach(
    environment: Environment, ca: str, transport: Callable[[Host], Transport], timeout: float = 3.0
) -> tuple[str, Forward | None]:
    """A URL at which this API answers from here; where none does, a port that is forwarded over ssh (close it in the end).

    Whoever answers must prove it by the authority: at a private address another network may have another host. The API's
    certificate names 127.0.0.1, so that the forwarded port is checked like the API itself. UnreachableError when nothing helps.
    """
    trust = ssl.create_default_context(cadata=ca)

    def proved(address: str, port: int) -> str:
        try:
            with (
                socket.create_connection((address, port), timeout) as plain,
                trust.wrap_socket(plain, server_hostname=address),
            ):
                return ""
        except OSError as error:
            return f"{address}:{port}: {error.strerror or error}"

    found, why = first(candidates(environment), proved)
    if found is not None:
        return f"https://{bracketed(found[0])}:{found[1]}", None
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


def first(
    places: Sequence[tuple[str, int]], proved: Callable[[str, int], str]
) -> tuple[tuple[str, int] | None, list[str]]:
    """The first of ``places`` that answers, all asked at once; or why none does. ``proved`` is "" or why not.

    A private address is often a black hole from where the operator is: nobody waits for its time limit when another address answers.
    """
    said: queue.SimpleQueue[tuple[tuple[str, int], str]] = queue.SimpleQueue()

    def ask(place: tuple[str, int]) -> None:
        try:
            why = proved(*place)
        except Exception as error:  # noqa: BLE001  whatever it is, an answer must come
            why = f"{place[0]}:{place[1]}: {error}"
        said.put((place, why))

    for place in places:
        threading.Thread(target=ask, args=(place,), name="reach", daemon=True).start()
    whys: dict[tuple[str, int], str] = {}
    while len(whys) < len(places):
        place, why = said.get()
        if not why:
            return place, []
        whys[place] = why
    return None, [whys[place] for place in places]


def run_credential(operator: str, ca: KeyPair, now: datetime) -> KeyPair:
    """An administrator's certificate for this run: made and kept in memory, valid for two hours."""
    return authority.issue(
        Leaf("operator", "ca", f"rancherctl:operator:{operator}"[:64], "system:masters"), ca, now, valid=RUN_CREDENTIAL
    )


def connect(url: str, ca: str, credential: KeyPair) -> RestClient:
    """A client with that credential."""
    return RestClient(url, ca=ca.encode(), cert=credential.crt.encode(), key=credential.key.encode())
