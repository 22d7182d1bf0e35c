"""The official source against a real HTTP server with the layout of the real ones, and its faults."""

import hashlib
import io
import resource
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rancherctl.bundle.create import Request, create
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources import official
from rancherctl.bundle.sources.base import Found
from rancherctl.bundle.sources.download import Clock, Limits, Terms, fetch
from rancherctl.bundle.sources.http import _NoDowngrade
from rancherctl.bundle.sources.releases import Bases
from rancherctl.bundle.verify import check
from rancherctl.bundle.versions import BINARIES, DEFAULT, versions_for
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError, TimeoutExceededError, UnreachableError
from rancherctl.events import Event, ignore

ROW = versions_for(DEFAULT)
Fault = Callable[["Answer"], None]


@dataclass
class Answer:
    """What the server is about to do for one request; a fault changes it."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None
    """Close the connection after this many bytes of the body."""
    hold: threading.Event | None = None
    """Wait for this before the connection is closed."""


@dataclass
class Site:
    """Files by path, faults by path (each used once, in order), and what was asked for."""

    files: dict[str, bytes]
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    ranges: bool = True

    def fault(self, end: str, *faults: Fault) -> str:
        (path,) = [p for p in self.files if p.endswith(end)]
        self.faults[path] = list(faults)
        return path

    def requests(self, path: str) -> list[str | None]:
        return [asked for p, asked in self.asked if p == path]


def answer(site: Site, path: str, asked: str | None) -> Answer:
    body = site.files.get(path)
    if body is None:
        return Answer(404, {}, b"no such file")
    if asked and site.ranges:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            return Answer(416, {"Content-Range": f"bytes */{len(body)}"}, b"")
        return Answer(206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}, body[start:])
    return Answer(200, {}, body)


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            site.asked.append((self.path, asked))
            todo = answer(site, self.path, asked)
            if site.faults.get(self.path):
                site.faults[self.path].pop(0)(todo)
            self.send_response(todo.status)
            for name, value in {"Content-Length": str(len(todo.body)), **todo.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(todo.body if todo.cut is None else todo.body[: todo.cut])
            if todo.hold is not None:
                self.wfile.flush()
                todo.hold.wait(60)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Quiet."""

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


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site(layout())
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Ticking:
    """A clock that waiting moves; nothing really waits."""

    def __init__(self) -> None:
        self.time, self.pauses = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    def terms(self, **limits: float) -> Terms:
        return Terms(Limits(silence=5.0, **limits), Clock(lambda: self.time, self.sleep, lambda: 1.0))  # type: ignore[arg-type]


def collect(site: Site, cache: Path, ticking: Ticking | None = None) -> tuple[Found, ...]:
    return official.collect(
        ROW, "amd64", cache, ignore, bases=Bases.below(site.url), terms=(ticking or Ticking()).terms()
    )


def cut_after(count: int) -> Fault:
    def fault(todo: Answer) -> None:
        todo.cut = count

    return fault


def status(code: int, **headers: str) -> Fault:
    def fault(todo: Answer) -> None:
        todo.status, todo.body, todo.headers = code, b"", {k.replace("_", "-"): v for k, v in headers.items()}

    return fault


def test_a_bundle_from_releases_and_nothing_is_fetched_twice(site: Site, tmp_path: Path) -> None:
    request = Request(DEFAULT, "official", mirror=site.url + "/")
    bundle = create(request, tmp_path, ignore)
    check(bundle.root)
    assert (bundle.root / f"kubernetes/{DEFAULT}/kubelet").read_bytes() == program("kubelet")
    assert (bundle.root / f"cni/{ROW.cni}/ptp").read_bytes() == program("ptp")
    assert {path for path, _ in site.asked} == set(site.files)
    asked = len(site.asked)
    assert create(request, tmp_path, ignore) == bundle
    assert len(site.asked) == asked
    assert not [f for f in tmp_path.rglob("*") if f.suffix in {".part", ".tmp", ".text", ".gz", ".tgz"}]


def test_a_file_that_was_damaged_in_the_cache_is_noticed(site: Site, tmp_path: Path) -> None:
    request = Request(DEFAULT, "official", mirror=site.url)
    bundle = create(request, tmp_path, ignore)
    kubelet = bundle.root / f"kubernetes/{DEFAULT}/kubelet"
    kubelet.write_bytes(kubelet.read_bytes()[:-1] + b"X")
    with pytest.raises(RancherctlError, match="was changed after it came into the cache"):
        create(request, tmp_path, ignore)


def test_a_damaged_bundle_is_not_found_made(site: Site, tmp_path: Path) -> None:
    request = Request(DEFAULT, "official", mirror=site.url)
    kubelet = create(request, tmp_path, ignore).root / f"kubernetes/{DEFAULT}/kubelet"
    data = kubelet.read_bytes()
    kubelet.unlink()
    kubelet.write_bytes(data[:-1] + b"X")
    kubelet.chmod(0o755)
    with pytest.raises(ConflictError, match="or damaged"):
        create(request, tmp_path, ignore)


def test_a_cut_connection_is_resumed_where_it_was_cut(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", cut_after(1000), cut_after(2000))
    ticking = Ticking()
    found = collect(site, tmp_path, ticking)
    assert site.requests(path) == [None, "bytes=1000-", "bytes=3000-"]
    assert next(f.file for f in found if f.name == "kubelet").read_bytes() == program("kubelet")
    assert len(ticking.pauses) == 2


def test_a_later_run_goes_on_where_an_earlier_one_stopped(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", cut_after(5000), *[status(503)] * 6)
    with pytest.raises(UnreachableError, match="503"):
        collect(site, tmp_path)
    collect(site, tmp_path)
    assert site.requests(path)[-1] == "bytes=5000-"


def test_what_a_killed_run_had_half_unpacked_is_removed(site: Site, tmp_path: Path) -> None:
    first = next(f.file for f in collect(site, tmp_path) if f.name == "ptp")
    (first.parent / "SHA256SUMS").unlink()
    (first.parent / ".portmap.abc123").write_bytes(b"half")
    assert first in {f.file for f in collect(site, tmp_path)}
    assert not [file for file in first.parent.iterdir() if file.name.startswith(".")]


def test_a_server_without_ranges_is_fetched_from_the_start(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    path = site.fault("/kubelet", cut_after(1000))
    found = collect(site, tmp_path)
    assert len(site.requests(path)) == 2
    assert next(f.file for f in found if f.name == "kubelet").read_bytes() == program("kubelet")


def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    site.files[path] = program("kubelet") + b"evil"
    with pytest.raises(RancherctlError, match="wrong checksum") as caught:
        collect(site, tmp_path)
    assert sha(program("kubelet")) in caught.value.why
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and "kubelet" in f.name and f.suffix != ".lock"]


def test_a_file_that_changed_between_two_runs_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "kubelet"
    (tmp_path / "kubelet.part").write_bytes(b"the beginning of something else")
    path = next(p for p in site.files if p.endswith("/kubelet"))
    fetch(site.url + path, target, sha(program("kubelet")), progress=lambda _have, _size: None, terms=Ticking().terms())
    assert target.read_bytes() == program("kubelet")
    assert site.requests(path) == ["bytes=31-", None]


@pytest.mark.parametrize("extra", [b"", b"more than there is"])
def test_what_is_at_hand_may_be_whole_or_too_long(extra: bytes, site: Site, tmp_path: Path) -> None:
    (tmp_path / "kubelet.part").write_bytes(program("kubelet") + extra)
    path = next(p for p in site.files if p.endswith("/kubelet"))
    fetch(
        site.url + path,
        tmp_path / "kubelet",
        sha(program("kubelet")),
        progress=lambda _have, _size: None,
        terms=Ticking().terms(),
    )
    assert (tmp_path / "kubelet").read_bytes() == program("kubelet")


def test_a_missing_release_is_told_with_its_address_and_not_repeated(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet.sha256"))
    del site.files[path]
    ticking = Ticking()
    with pytest.raises(NotFoundError, match=f"{path} does not exist: HTTP 404"):
        collect(site, tmp_path, ticking)
    assert (len(site.requests(path)), ticking.pauses) == (1, [])


def test_a_refusal_is_final_and_told(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", status(403))
    with pytest.raises(RancherctlError, match="HTTP 403"):
        collect(site, tmp_path)
    assert len(site.requests(path)) == 1


def moved(site: Site, path: str) -> Fault:
    """As the releases of GitHub are: elsewhere."""
    site.files[f"/elsewhere{path}"] = site.files[path]

    def fault(todo: Answer) -> None:
        todo.status, todo.body, todo.headers = 302, b"", {"Location": f"/elsewhere{path}"}

    return fault


def test_a_redirect_is_followed_and_a_cut_there_is_resumed(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    site.faults[path] = [moved(site, path)] * 2
    site.faults[f"/elsewhere{path}"] = [cut_after(1000)]
    found = collect(site, tmp_path)
    assert site.requests(f"/elsewhere{path}") == [None, "bytes=1000-"]
    assert next(f.file for f in found if f.name == "kubelet").read_bytes() == program("kubelet")


def test_redirects_in_a_circle_end_with_a_message(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    site.faults[path] = [lambda todo: todo.headers.update(Location=path) or setattr(todo, "status", 302)] * 50
    with pytest.raises(RancherctlError, match="HTTP 302"):
        collect(site, tmp_path)


def test_no_redirect_leads_from_https_to_http() -> None:
    request = urllib.request.Request("https://releases.example/kubelet.sha256")
    with pytest.raises(RancherctlError, match="not https"):
        _NoDowngrade().redirect_request(
            request, io.BytesIO(), 302, "Found", Message(), "http://mirror.example/kubelet.sha256"
        )


def test_a_busy_server_is_asked_again_later_as_it_says(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", status(503), status(429, Retry_After="7"), status(502))
    ticking = Ticking()
    collect(site, tmp_path, ticking)
    assert len(site.requests(path)) == 4
    assert ticking.pauses == [1.0, 7.0, 4.0]


def test_a_server_that_never_works_is_given_up(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", *[status(503)] * 100)
    with pytest.raises(UnreachableError, match="6 attempts in a row failed, the last one: HTTP 503"):
        collect(site, tmp_path)
    assert len(site.requests(path)) == 6


def test_a_server_that_drips_is_given_up_when_the_time_is_over(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", *[cut_after(1)] * 10_000)
    ticking = Ticking()
    with pytest.raises(TimeoutExceededError, match="was not complete in time"):
        fetch(
            site.url + path,
            tmp_path / "k",
            "0" * 64,
            progress=lambda _have, _size: None,
            terms=ticking.terms(total=60.0),
        )
    assert ticking.time <= 60


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="refused"):
        collect(Site({}, url="http://127.0.0.1:9"), tmp_path)


def test_a_checksum_file_of_something_else_is_told(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("SHA256SUMS"))
    site.files[path] = b"<html>please log in</html>"
    with pytest.raises(RancherctlError, match="has no sha256 of etcd") as caught:
        collect(site, tmp_path)
    assert "please log in" in caught.value.why


def test_an_archive_without_the_programs_is_told(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith(".tgz"))
    site.files[path] = archive({"./ptp": program("ptp"), "../../loopback": program("loopback")})
    site.files[f"{path}.sha256"] = sha(site.files[path]).encode()
    with pytest.raises(RancherctlError, match="has no host-local, loopback, portmap"):
        collect(site, tmp_path)


def drips(site: Site, monkeypatch: pytest.MonkeyPatch, *ends: str) -> None:
    """The server sends half of these files and then nothing, until the work is called off."""
    called_off = threading.Event()

    class Flag(threading.Event):
        def set(self) -> None:
            super().set()
            called_off.set()

    def fault(todo: Answer) -> None:
        todo.cut = len(todo.body) // 2
        todo.hold = called_off

    monkeypatch.setattr(official, "Flag", Flag)
    for end in ends:
        site.fault(end, fault)


def test_the_first_error_calls_off_what_is_being_fetched(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for 300 MB to hear that a fourth file is missing; what has come is kept."""
    half, told = threading.Event(), list[Event]()
    drips(site, monkeypatch, "/etcd-v3.6.8-linux-amd64.tar.gz")
    site.fault(".tgz", lambda todo: half.wait(60) and status(403)(todo))

    def emit(event: Event) -> None:
        told.append(event)
        if event.subject.startswith("etcd") and event.state == "progress":
            half.set()

    with pytest.raises(RancherctlError, match="HTTP 403"):
        official.collect(ROW, "amd64", tmp_path, emit, bases=Bases.below(site.url), terms=Ticking().terms())
    etcd = next(p for p in site.files if p.endswith("/etcd-v3.6.8-linux-amd64.tar.gz"))
    assert site.requests(etcd) == [None], "the cut connection was not opened again"
    assert [e.subject for e in told if e.state == "failed"] == ["cni-plugins-linux-amd64-v1.9.1.tgz"]
    assert list(tmp_path.rglob("etcd*.part"))
    collect(site, tmp_path)
    assert (site.requests(etcd)[-1] or "").startswith("bytes=")


def test_an_interrupt_ends_the_downloads(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drips(
        site,
        monkeypatch,
        "/etcd-v3.6.8-linux-amd64.tar.gz",
        "/containerd-static-2.2.0-linux-amd64.tar.gz",
        ".tgz",
        "/kube-apiserver",
    )

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        collect(site, tmp_path)
    assert not [path for path, _ in site.asked if path.endswith("/kubelet")], "what had not begun was begun"


def test_progress_grows_to_the_whole(site: Site, tmp_path: Path) -> None:
    events: list[Event] = []
    official.collect(ROW, "amd64", tmp_path, events.append, bases=Bases.below(site.url), terms=Ticking().terms())
    fractions = [e.fraction for e in events if e.subject == "kubelet" and e.fraction is not None]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [e.state for e in events if e.subject == "kubelet"][-1] == "done"


def test_two_runs_at_once_fetch_each_file_once(site: Site, tmp_path: Path) -> None:
    """They share the cache: two writers of one part would spoil each other's file."""
    begun = threading.Event()
    site.fault("/kubelet", lambda _: begun.wait(60) and None)
    found: list[tuple[Found, ...]] = []

    def run(emit: Callable[[Event], None]) -> None:
        found.append(
            official.collect(ROW, "amd64", tmp_path, emit, bases=Bases.below(site.url), terms=Ticking().terms())
        )

    threads = [threading.Thread(target=run, args=(emit,)) for emit in (ignore, lambda _: begun.set())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert sorted(path for path, _ in site.asked) == sorted(site.files)


def test_a_full_disk_is_told_as_that_and_not_asked_of_the_server_again(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(RancherctlError, match=r"kubelet\.part cannot be written") as caught:
            fetch(
                site.url + path,
                tmp_path / "kubelet",
                "0" * 64,
                progress=lambda _have, _size: None,
                terms=Ticking().terms(),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "too large" in caught.value.why
    assert site.requests(path) == [None]
