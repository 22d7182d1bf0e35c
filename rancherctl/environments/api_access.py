"""The route to an environment's API: one of its addresses, or a tunnel through a control-plane host.

Whatever answers must prove itself with the environment's CA: private addresses overlap, and another environment's API
may answer at one of them. The API's certificate names 127.0.0.1, so the local end of a tunnel is checked like the API.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from rancherctl.errors import UnreachableError
from rancherctl.hosts.forward import PortForward
from rancherctl.hosts.transport import TcpOpener
from rancherctl.net import join_host_port
from rancherctl.proxy.choice import Proxy
from rancherctl.proxy.connect import connect
from rancherctl.trust import client_context

if TYPE_CHECKING:
    from rancherctl.environments.model import Environment
    from rancherctl.hosts.model import Host
    from rancherctl.hosts.transport import Transport

CONNECT_SECONDS: Final = 3.0
HANDSHAKE_SECONDS: Final = 10.0
"""Once it accepted the connection the host is up: its API may only be busy, and a tunnel would not help."""
TUNNEL_SECONDS: Final = 10.0
"""For the API's first answer through a tunnel."""


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """The URL to use, the host that it leads through ("" = directly), and the proxy on the way (None = none)."""

    url: str
    through: str = ""
    proxy: Proxy | None = None


class ApiTunnel(Protocol):
    """A way to the API through a host that can be reached."""

    @property
    def name(self) -> str:
        """The host it leads through."""

    @property
    def target(self) -> str:
        """The API's address as seen from there."""

    def open(self) -> AbstractContextManager[int]:
        """A local port that leads to the API while the block runs; UnreachableError if the host cannot be used."""


def urls(environment: Environment) -> list[str]:
    """Where the API may be reached: the addresses of each control-plane host, then the one that kubeconfigs use."""
    port = environment.api.port
    hosts = environment.with_role("controlplane")
    found = [address for host in hosts for address in (host.address, host.public_address) if address]
    if environment.api.address:
        found.append(environment.api.address)
    return [f"https://{join_host_port(address, port)}" for address in dict.fromkeys(found)]


def problem_at(url: str, ca: str, seconds: float = CONNECT_SECONDS, proxy: Proxy | None = None) -> str:
    """Why the API cannot be used at ``url`` from here, "" if it can.

    It must accept a connection, which ``proxy`` makes if there is one, and prove itself with ``ca`` (PEM text).
    """
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 443
    try:
        with connect(host, port, proxy, seconds, ca=ca.encode()) as plain:
            if where.scheme == "https":
                plain.settimeout(max(seconds, HANDSHAKE_SECONDS))
                client_context(ca.encode()).wrap_socket(plain, server_hostname=host).close()
    except OSError as error:
        return f"{join_host_port(host, port)}: {error.strerror or error}"
    except UnreachableError as error:
        return f"{error} ({error.hint})"
    return ""


def first_usable(candidates: Sequence[str], problem: Callable[[str], str]) -> tuple[str, list[str]]:
    """The first candidate without a ``problem``; or "" and every problem, in the candidates' order.

    All are checked at once: a private address is often a black hole from an operator's network, and its time limit must
    not delay an address that answers.
    """
    results: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def check(url: str) -> None:
        try:
            why = problem(url)
        except Exception as error:  # noqa: BLE001  the caller waits for a result, whatever happened
            why = f"{url}: {error}"
        results.put((url, why))

    for url in candidates:
        threading.Thread(target=check, args=(url,), name="reach", daemon=True).start()
    found: dict[str, str] = {}
    while len(found) < len(candidates):
        url, why = results.get()
        if not why:
            return url, []
        found[url] = why
    return "", [found[url] for url in candidates]


@contextmanager
def route(
    name: str,
    candidates: Sequence[str],
    ca: str,
    tunnels: Iterable[ApiTunnel],
    *,
    proxy: Callable[[str], Proxy | None] = lambda _url: None,
    seconds: float = CONNECT_SECONDS,
    hint: str = "check whether a firewall blocks the API's port",
) -> Iterator[ApiRoute]:
    """The route to the API of environment ``name`` while the block runs.

    ``proxy`` gives the proxy for a candidate; tunnels have none.

    UnreachableError lists every attempt if all failed.
    """
    url, problems = first_usable(candidates, lambda candidate: problem_at(candidate, ca, seconds, proxy(candidate)))
    if url:
        yield ApiRoute(url, proxy=proxy(url))
        return
    with ExitStack() as opened:
        found = _through(tunnels, ca, opened, problems)
        if found is None:
            what = f"the API of environment {name} cannot be reached from here, nor through ssh"
            raise UnreachableError(what, why="; ".join(problems), hint=hint)
        yield found


def _through(tunnels: Iterable[ApiTunnel], ca: str, opened: ExitStack, problems: list[str]) -> ApiRoute | None:
    """The first tunnel that leads to the API, which ``opened`` will close; None if none does. Adds to ``problems``."""
    for tunnel in tunnels:
        with ExitStack() as attempt:
            try:
                port = attempt.enter_context(tunnel.open())
            except UnreachableError as error:
                problems.append(str(error))
                continue
            url = f"https://127.0.0.1:{port}"
            if problem_at(url, ca, TUNNEL_SECONDS):
                problems.append(f"{tunnel.name}: nothing answers as this API at {tunnel.target} there")
                continue
            opened.enter_context(attempt.pop_all())
            return ApiRoute(url, tunnel.name)
    return None


@dataclass(frozen=True, slots=True)
class HostTunnel:
    """A tunnel through an ssh connection of this process to a control-plane host."""

    transport: TcpOpener
    name: str
    port: int

    @property
    def target(self) -> str:
        """The API's address as seen from the host."""
        return f"127.0.0.1:{self.port}"

    @contextmanager
    def open(self) -> Iterator[int]:
        """The local port. The far end is tried first, so that a host without a running API is known at once."""
        self.transport.open_tcp("127.0.0.1", self.port).close()
        with PortForward(self.transport, "127.0.0.1", self.port) as forward:
            yield forward.port


def host_tunnels(environment: Environment, transport: Callable[[Host], Transport]) -> Iterator[HostTunnel]:
    """Tunnels through the control-plane hosts whose transports can open connections."""
    for host in environment.with_role("controlplane"):
        connection = transport(host)
        if isinstance(connection, TcpOpener):
            yield HostTunnel(connection, host.name, environment.api.port)
