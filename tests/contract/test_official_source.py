"""The official source with a real HTTP server: bundles, checksums, archives and parallel downloads."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rancherctl.bundle.create import BundleRequest, create
from rancherctl.bundle.sources import official
from rancherctl.bundle.sources.base import CollectedFile
from rancherctl.bundle.sources.releases import Bases
from rancherctl.bundle.verify import check
from rancherctl.bundle.versions import DEFAULT
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.events import Event, ignore
from tests.fakes.release_site import ROW, FakeTime, Response, Site, archive, collect, program, sha, status


def test_a_bundle_is_created_from_releases_and_no_file_is_downloaded_twice(site: Site, tmp_path: Path) -> None:
    request = BundleRequest(DEFAULT, "official", mirror=site.url + "/")
    bundle = create(request, tmp_path, ignore)
    check(bundle.root)
    assert (bundle.root / f"kubernetes/{DEFAULT}/kubelet").read_bytes() == program("kubelet")
    assert (bundle.root / f"cni/{ROW.cni}/ptp").read_bytes() == program("ptp")
    assert {path for path, _ in site.requested} == set(site.files)
    count = len(site.requested)
    assert create(request, tmp_path, ignore) == bundle
    assert len(site.requested) == count
    assert not [f for f in tmp_path.rglob("*") if f.suffix in {".part", ".tmp", ".text", ".gz", ".tgz"}]


def test_a_damaged_file_in_the_cache_is_an_error(site: Site, tmp_path: Path) -> None:
    request = BundleRequest(DEFAULT, "official", mirror=site.url)
    bundle = create(request, tmp_path, ignore)
    kubelet = bundle.root / f"kubernetes/{DEFAULT}/kubelet"
    kubelet.write_bytes(kubelet.read_bytes()[:-1] + b"X")
    with pytest.raises(RancherctlError, match="was changed after it came into the cache"):
        create(request, tmp_path, ignore)


def test_a_damaged_bundle_does_not_count_as_complete(site: Site, tmp_path: Path) -> None:
    request = BundleRequest(DEFAULT, "official", mirror=site.url)
    kubelet = create(request, tmp_path, ignore).root / f"kubernetes/{DEFAULT}/kubelet"
    data = kubelet.read_bytes()
    kubelet.unlink()
    kubelet.write_bytes(data[:-1] + b"X")
    kubelet.chmod(0o755)
    with pytest.raises(ConflictError, match="or damaged"):
        create(request, tmp_path, ignore)


def test_partly_unpacked_files_of_a_killed_run_are_removed(site: Site, tmp_path: Path) -> None:
    first = next(f.file for f in collect(site, tmp_path) if f.name == "ptp")
    (first.parent / "SHA256SUMS").unlink()
    (first.parent / ".portmap.abc123").write_bytes(b"half")
    assert first in {f.file for f in collect(site, tmp_path)}
    assert not [file for file in first.parent.iterdir() if file.name.startswith(".")]


def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    site.files[path] = program("kubelet") + b"evil"
    with pytest.raises(RancherctlError, match="wrong checksum") as caught:
        collect(site, tmp_path)
    assert sha(program("kubelet")) in caught.value.why
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and "kubelet" in f.name and f.suffix != ".lock"]


def test_a_missing_release_is_an_error_with_its_address_and_not_retried(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet.sha256"))
    del site.files[path]
    fake_time = FakeTime()
    with pytest.raises(NotFoundError, match=f"{path} does not exist: HTTP 404"):
        collect(site, tmp_path, fake_time)
    assert (len(site.requests(path)), fake_time.pauses) == (1, [])


def test_a_checksum_file_without_the_checksum_is_an_error_that_quotes_it(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("SHA256SUMS"))
    site.files[path] = b"<html>please log in</html>"
    with pytest.raises(RancherctlError, match="has no sha256 of etcd") as caught:
        collect(site, tmp_path)
    assert "please log in" in caught.value.why


def test_an_archive_without_the_programs_is_an_error_that_lists_them(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith(".tgz"))
    site.files[path] = archive({"./ptp": program("ptp"), "../../loopback": program("loopback")})
    site.files[f"{path}.sha256"] = sha(site.files[path]).encode()
    with pytest.raises(RancherctlError, match="has no host-local, loopback, portmap"):
        collect(site, tmp_path)


def stall_halfway(site: Site, monkeypatch: pytest.MonkeyPatch, *ends: str) -> None:
    """The server sends half of these files and then nothing, until the downloads are stopped."""
    stopped = threading.Event()

    class Flag(threading.Event):
        def set(self) -> None:
            super().set()
            stopped.set()

    def fault(response: Response) -> None:
        response.cut = len(response.body) // 2
        response.hold = stopped

    monkeypatch.setattr(official, "Flag", Flag)
    for end in ends:
        site.fault(end, fault)


def test_the_first_error_stops_the_other_downloads(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is reported without waiting for the large ones, and received data is kept."""
    half, events = threading.Event(), list[Event]()
    stall_halfway(site, monkeypatch, "/etcd-v3.6.8-linux-amd64.tar.gz")
    site.fault(".tgz", lambda response: half.wait(60) and status(403)(response))

    def emit(event: Event) -> None:
        events.append(event)
        if event.subject.startswith("etcd") and event.state == "progress":
            half.set()

    with pytest.raises(RancherctlError, match="HTTP 403"):
        official.collect(ROW, "amd64", tmp_path, emit, bases=Bases.below(site.url), terms=FakeTime().terms())
    etcd = next(p for p in site.files if p.endswith("/etcd-v3.6.8-linux-amd64.tar.gz"))
    assert site.requests(etcd) == [None], "the cut connection was not opened again"
    assert [e.subject for e in events if e.state == "failed"] == ["cni-plugins-linux-amd64-v1.9.1.tgz"]
    assert list(tmp_path.rglob("etcd*.part"))
    collect(site, tmp_path)
    assert (site.requests(etcd)[-1] or "").startswith("bytes=")


def test_an_interrupt_ends_the_downloads(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stall_halfway(
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
    assert not [path for path, _ in site.requested if path.endswith("/kubelet")], "no further download started"


def test_progress_grows_to_100_percent(site: Site, tmp_path: Path) -> None:
    events: list[Event] = []
    official.collect(ROW, "amd64", tmp_path, events.append, bases=Bases.below(site.url), terms=FakeTime().terms())
    fractions = [e.fraction for e in events if e.subject == "kubelet" and e.fraction is not None]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [e.state for e in events if e.subject == "kubelet"][-1] == "done"


def test_two_runs_at_once_download_each_file_once(site: Site, tmp_path: Path) -> None:
    """They share the cache: two writers of one partial file would damage it."""
    begun = threading.Event()
    site.fault("/kubelet", lambda _: begun.wait(60) and None)
    found: list[tuple[CollectedFile, ...]] = []

    def run(emit: Callable[[Event], None]) -> None:
        found.append(
            official.collect(ROW, "amd64", tmp_path, emit, bases=Bases.below(site.url), terms=FakeTime().terms())
        )

    threads = [threading.Thread(target=run, args=(emit,)) for emit in (ignore, lambda _: begun.set())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert sorted(path for path, _ in site.requested) == sorted(site.files)
