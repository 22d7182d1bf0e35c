"""An HTTP server with the layout of the official release sites, whose responses can be made to fail."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources import official
from rancherctl.bundle.sources.base import CollectedFile
from rancherctl.bundle.sources.download import Clock, Limits, Terms
from rancherctl.bundle.sources.releases import Bases
from rancherctl.bundle.versions import BINARIES, DEFAULT, versions_for
from rancherctl.events import ignore

ROW = versions_for(DEFAULT)
Fault = Callable[["Response"], object]


@dataclass
class Response:
    """The response to one request; a fault changes it before it is sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None
    """Close the connection after this many bytes of the body."""
    hold: threading.Event | None = None
    """Wait for this before the connection is closed."""


@dataclass
class Site:
    """Files by path, faults by path (each used once, in order), and (path, Range header) of the requests."""

    files: dict[str, bytes]
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requested: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    ranges: bool = True

    def fault(self, end: str, *faults: Fault) -> str:
        (path,) = [p for p in self.files if p.endswith(end)]
        self.faults[path] = list(faults)
        return path

    def requests(self, path: str) -> list[str | None]:
        return [byte_range for p, byte_range in self.requested if p == path]


def respond(site: Site, path: str, byte_range: str | None) -> Response:
    body = site.files.get(path)
    if body is None:
        return Response(404, {}, b"no such file")
    if byte_range and site.ranges:
        start = int(byte_range.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            return Response(416, {"Content-Range": f"bytes */{len(body)}"}, b"")
        return Response(206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}, body[start:])
    return Response(200, {}, body)


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            byte_range = self.headers.get("Range")
            site.requested.append((self.path, byte_range))
            response = respond(site, self.path, byte_range)
            if site.faults.get(self.path):
                site.faults[self.path].pop(0)(response)
            self.send_response(response.status)
            for name, value in {"Content-Length": str(len(response.body)), **response.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body if response.cut is None else response.body[: response.cut])
            if response.hold is not None:
                self.wfile.flush()
                response.hold.wait(60)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Print nothing."""

    return Handler


def program(name: str) -> bytes:
    return pause_binary("amd64") + name.encode() * 20_000


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def layout() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name in BINARIES["kubernetes"]:
        path = f"/kubernetes/v{ROW.kubernetes}/bin/linux/amd64/{name}"
        files |= {path: program(name), f"{path}.sha256": sha(program(name)).encode()}
    etcd = f"etcd-v{ROW.etcd}-linux-amd64"
    data = archive({f"{etcd}/README.md": b"x", **{f"{etcd}/{n}": program(n) for n in BINARIES["etcd"]}})
    sums = f"{'0' * 64}  etcd-v{ROW.etcd}-darwin-amd64.zip\n{sha(data)}  {etcd}.tar.gz\n"
    files |= {f"/etcd/v{ROW.etcd}/{etcd}.tar.gz": data, f"/etcd/v{ROW.etcd}/SHA256SUMS": sums.encode()}
    name = f"containerd-static-{ROW.containerd}-linux-amd64.tar.gz"
    data = archive({f"bin/{n}": program(n) for n in (*BINARIES["containerd"], "containerd-stress")})
    path = f"/containerd/v{ROW.containerd}/{name}"
    files |= {path: data, f"{path}.sha256sum": f"{sha(data)}  {name}\n".encode()}
    name = f"cni-plugins-linux-amd64-v{ROW.cni}.tgz"
    data = archive({f"./{n}": program(n) for n in (*BINARIES["cni"], "bridge")})
    path = f"/cni/v{ROW.cni}/{name}"
    return files | {path: data, f"{path}.sha256": f"{sha(data)}  {name}\n".encode()}


@contextmanager
def release_site() -> Iterator[Site]:
    """A running server with all files of ``layout``."""
    site = Site(layout())
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FakeTime:
    """A clock that sleeping advances; nothing really waits."""

    def __init__(self) -> None:
        self.time, self.pauses = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    def terms(self, **limits: float) -> Terms:
        return Terms(Limits(silence=5.0, **limits), Clock(lambda: self.time, self.sleep, lambda: 1.0))  # type: ignore[arg-type]


def collect(site: Site, cache: Path, fake_time: FakeTime | None = None) -> tuple[CollectedFile, ...]:
    return official.collect(
        ROW, "amd64", cache, ignore, bases=Bases.below(site.url), terms=(fake_time or FakeTime()).terms()
    )


def cut_after(count: int) -> Fault:
    def fault(response: Response) -> None:
        response.cut = count

    return fault


def status(code: int, **headers: str) -> Fault:
    def fault(response: Response) -> None:
        response.status, response.body, response.headers = (
            code,
            b"",
            {k.replace("_", "-"): v for k, v in headers.items()},
        )

    return fault
