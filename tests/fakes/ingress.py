"""A real HAProxy on loopback, pods that answer with their name, and short ways to write Kubernetes objects."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rancherctl.ingress.haproxy import render
from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.process import PROGRAM
from rancherctl.ingress.haproxy.responses import ORIGIN
from rancherctl.ingress.haproxy.runtime import HaproxyError
from rancherctl.ingress.model import Listener, http_listeners, https_listeners
from rancherctl.kube import objects
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.polling import poll_until
from tests.fakes.ports import free_port

NAMESPACE = "default"


def ingress(
    name: str,
    rules: Sequence[tuple[str, str, str, str]] = (),
    *,
    namespace: str = NAMESPACE,
    default: str = "",
    class_name: str | None = "rancher",
    annotations: Mapping[str, str] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    status: Sequence[str] = (),
    version: str = "1",
    tls: Sequence[tuple[str, Sequence[str]]] = (),
) -> objects.Ingress:
    """Rules are (host, path type, path, "service:port"); without a service a rule has a host only.

    ``tls`` entries are (secret, hosts).
    """
    spec: dict[str, Any] = {"rules": [_rule(*rule) for rule in rules]}
    if class_name is not None:
        spec["ingressClassName"] = class_name
    if default:
        spec["defaultBackend"] = _backend(default)
    if tls:
        spec["tls"] = [{"secretName": secret, "hosts": list(hosts)} for secret, hosts in tls]
    meta = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": version,
        "creationTimestamp": created,
    }
    return objects.ingress(
        {
            "metadata": meta | {"annotations": dict(annotations or {})},
            "spec": spec,
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in status]}},
        }
    )


def _rule(host: str, path_type: str, path: str, backend: str) -> dict[str, Any]:
    if not backend:
        return {"host": host}
    return {"host": host, "http": {"paths": [{"path": path, "pathType": path_type, "backend": _backend(backend)}]}}


def _backend(text: str) -> dict[str, Any]:
    service, _, port = text.partition(":")
    return {"service": {"name": service, "port": {"number": int(port)} if port.isdigit() else {"name": port}}}


def service(
    name: str,
    ports: Mapping[str, int] | Sequence[Mapping[str, Any]] | None = None,
    *,
    namespace: str = NAMESPACE,
    uid: str = "",
    **spec: Any,
) -> objects.Service:
    """Ports by name, or as in the API; target ports are the endpoints' business."""
    listed = ports or {"http": 80}
    if isinstance(listed, Mapping):
        listed = [{"name": k, "port": v, "protocol": "TCP"} for k, v in listed.items()]
    return objects.service(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            "spec": {"clusterIP": "10.43.0.9", "ports": listed} | spec,
        }
    )


def endpoint_slice(
    name: str,
    addresses: Iterable[tuple[str, int]],
    *,
    port_name: str = "http",
    namespace: str = NAMESPACE,
    node: str = "",
    **conditions: bool,
) -> objects.EndpointSlice:
    """A slice of the Service ``name``. All its endpoints have the port of the first one, and the same node."""
    listed = list(addresses)
    return objects.endpoint_slice(
        {
            "metadata": {
                "name": f"{name}-{listed[0][1] if listed else 0}",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": port_name, "port": listed[0][1], "protocol": "TCP"}] if listed else [],
            "endpoints": [{"addresses": [a], "conditions": conditions, "nodeName": node} for a, _ in listed],
        }
    )


RANCHER = objects.ingress_class({"metadata": {"name": "rancher"}, "spec": {"controller": "rancherctl.io/ingress"}})


def roster(*names: str, epoch: int = 1, sequence: int = 1, dead: Iterable[str] = ()) -> Roster:
    """Hosts h1 … with addresses 192.0.2.1 …; names are h<number>."""
    gone = set(dead)
    return Roster(
        epoch, sequence, tuple(RosterHost(n, f"192.0.2.{n[1:]}", f"10.0.0.{n[1:]}", alive=n not in gone) for n in names)
    )


def snapshot(
    ingresses: Iterable[objects.Ingress] = (),
    services: Iterable[objects.Service] = (),
    slices: Iterable[objects.EndpointSlice] = (),
    hosts: Roster | None = None,
    *,
    classes: Iterable[objects.IngressClass] = (RANCHER,),
    copies: Iterable[objects.TlsSecret] | None = (),
    healthy: bool = True,
) -> Snapshot:
    """A synced snapshot with the API's own service. ``copies`` None: they cannot be listed."""
    kubernetes = service("kubernetes")
    config = objects.config_map(
        {
            "metadata": {"name": "roster", "namespace": "rancherctl-system"},
            "data": {"roster": (hosts or roster("h1")).to_json()},
        }
    )
    content: dict[str, list[Any]] = {
        "ingresses": list(ingresses),
        "ingressclasses": list(classes),
        "services": [kubernetes, *services],
        "endpointslices": list(slices),
        "roster": [config],
    }
    tables = {
        name: Table({o.meta.key: o for o in items}, synced=True, healthy=healthy) for name, items in content.items()
    }
    if copies is not None:
        tables["secretcopies"] = Table({o.meta.key: o for o in copies}, synced=True, healthy=healthy)
    return Snapshot(tables)


class Pod:
    """An HTTP server that answers with its name and the headers it got; a path that ends with ``/slow`` takes a second.

    The query may ask for a ``status``, for so many bytes of ``headers``, and for an ``origin`` of the load balancer.
    """

    def __init__(self, name: str, address: str = "127.0.0.1", port: int = 0) -> None:
        self.name = name
        self.requests = 0
        self.statuses: dict[str, int] = {}
        """Statuses of paths that are not answered with 200."""
        pod = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                pod.requests += 1
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.path.endswith("/slow"):
                    time.sleep(1)
                body = json.dumps(
                    {"pod": pod.name, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
                ).encode()
                query = dict(parse_qsl(urlsplit(self.path).query))
                self.send_response(int(query.get("status", pod.statuses.get(self.path, 200))))
                if size := int(query.get("headers", "0")):
                    self.send_header("Set-Cookie", "x" * size)
                if origin := query.get("origin"):
                    self.send_header(ORIGIN, origin)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_OPTIONS = do_DELETE = do_GET

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, request: Any, client_address: Any) -> None:
                """HAProxy's checks reset their connections; that is not an error here."""

        self._server = Server((address, port), Handler)
        self.address, self.port = address, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.address, self.port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Haproxy:
    """HAProxy in master-worker mode with all its files below ``folder``; ``restart`` does what systemd would do."""

    def __init__(self, folder: Path, program: Path = PROGRAM) -> None:
        folder.chmod(0o755)
        self.program = program
        self.paths = render.Paths(
            data=str(folder / "data"),
            run=str(folder / "run"),
            log=str(folder / "log.sock"),
            ipv4="127.0.0.1",
            descriptors=4000,
        )
        for path in (self.paths.data, self.paths.run):
            Path(path).mkdir()
        self.port = free_port()
        self.https_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "haproxy.log"

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return http_listeners(self.port, self.paths.families)

    @property
    def all_listeners(self) -> tuple[Listener, ...]:
        """Those of HTTP and of HTTPS."""
        return (*self.listeners, *https_listeners(self.https_port, self.paths.families))

    def driver(self) -> Driver:
        return Driver(self.paths, restart=self.restart, user="no-such-user", program=self.program)

    def restart(self) -> None:
        """Returns when the master has loaded its files; raises HaproxyError if it could not."""
        self.stop()
        master = Path(self.paths.master)
        master.unlink(missing_ok=True)
        command = [str(self.program), "-W", "-f", self.paths.config, "-S", f"{self.paths.master},mode,600"]
        with self.log.open("ab") as log:
            self.process = process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        poll_until(lambda: process.poll() is not None or master.exists(), 60, first=0.005)
        if process.poll() is not None:
            self.process = None
            raise HaproxyError("cannot restart HAProxy", why=self.log.read_text(errors="replace")[-500:])

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Stop all its threads, as if they hung, and return when none of them runs any more.

        The signal is only delivered when a thread is scheduled: on a busy machine others still answer until then.
        """
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        group = self.process.pid
        assert poll_until(lambda: set(_thread_states(group)) == {"T"}, 30, first=0.001)

    def thaw(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def request(
        self, host: str, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and, from a pod, its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers={"Host": host, **(headers or {})})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        return response.status, json.loads(body) if body.startswith(b"{") else {}

    def redirect(self, host: str, path: str = "/") -> tuple[int, str, str]:
        """Status, body and Location."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.read().decode(), response.getheader("Location", "")
        finally:
            connection.close()

    def answer(self, host: str, path: str = "/") -> str:
        """The name of the pod that answered, or the status."""
        status, body = self.request(host, path)
        return body["pod"] if status == 200 else str(status)


def _thread_states(group: int) -> Iterator[str]:
    """The state letters of all threads of a process group, as in proc_pid_stat(5)."""
    for stat in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            state, _parent, owner, *_rest = stat.read_text().rpartition(")")[2].split()
            if int(owner) == group:
                yield state
