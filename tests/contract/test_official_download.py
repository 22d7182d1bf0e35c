"""Downloads of releases: resumed, retried, redirected and limited."""

import io
import resource
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from rancherctl.bundle.sources.download import fetch
from rancherctl.bundle.sources.http import _NoDowngrade
from rancherctl.errors import RancherctlError, TimeoutExceededError, UnreachableError
from tests.fakes.release_site import FakeTime, Fault, Response, Site, collect, cut_after, program, sha, status


def test_a_cut_connection_is_resumed_where_it_was_cut(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", cut_after(1000), cut_after(2000))
    fake_time = FakeTime()
    found = collect(site, tmp_path, fake_time)
    assert site.requests(path) == [None, "bytes=1000-", "bytes=3000-"]
    assert next(f.file for f in found if f.name == "kubelet").read_bytes() == program("kubelet")
    assert len(fake_time.pauses) == 2


def test_a_later_run_resumes_the_download_of_an_earlier_one(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", cut_after(5000), *[status(503)] * 6)
    with pytest.raises(UnreachableError, match="503"):
        collect(site, tmp_path)
    collect(site, tmp_path)
    assert site.requests(path)[-1] == "bytes=5000-"


def test_a_download_from_a_server_without_ranges_restarts(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    path = site.fault("/kubelet", cut_after(1000))
    found = collect(site, tmp_path)
    assert len(site.requests(path)) == 2
    assert next(f.file for f in found if f.name == "kubelet").read_bytes() == program("kubelet")


def test_a_file_that_changed_between_two_runs_is_downloaded_again(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "kubelet"
    (tmp_path / "kubelet.part").write_bytes(b"the beginning of something else")
    path = next(p for p in site.files if p.endswith("/kubelet"))
    fetch(
        site.url + path, target, sha(program("kubelet")), progress=lambda _have, _size: None, terms=FakeTime().terms()
    )
    assert target.read_bytes() == program("kubelet")
    assert site.requests(path) == ["bytes=31-", None]


@pytest.mark.parametrize("extra", [b"", b"more than there is"])
def test_a_partial_file_that_is_complete_or_too_long_is_handled(extra: bytes, site: Site, tmp_path: Path) -> None:
    (tmp_path / "kubelet.part").write_bytes(program("kubelet") + extra)
    path = next(p for p in site.files if p.endswith("/kubelet"))
    fetch(
        site.url + path,
        tmp_path / "kubelet",
        sha(program("kubelet")),
        progress=lambda _have, _size: None,
        terms=FakeTime().terms(),
    )
    assert (tmp_path / "kubelet").read_bytes() == program("kubelet")


def test_a_refusal_is_an_error_and_not_retried(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", status(403))
    with pytest.raises(RancherctlError, match="HTTP 403"):
        collect(site, tmp_path)
    assert len(site.requests(path)) == 1


def redirected(site: Site, path: str) -> Fault:
    """A redirect to another path, as for releases of GitHub."""
    site.files[f"/elsewhere{path}"] = site.files[path]

    def fault(response: Response) -> None:
        response.status, response.body, response.headers = 302, b"", {"Location": f"/elsewhere{path}"}

    return fault


def test_a_redirect_is_followed_and_a_cut_there_is_resumed(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    site.faults[path] = [redirected(site, path)] * 2
    site.faults[f"/elsewhere{path}"] = [cut_after(1000)]
    found = collect(site, tmp_path)
    assert site.requests(f"/elsewhere{path}") == [None, "bytes=1000-"]
    assert next(f.file for f in found if f.name == "kubelet").read_bytes() == program("kubelet")


def test_a_redirect_loop_is_an_error(site: Site, tmp_path: Path) -> None:
    path = next(p for p in site.files if p.endswith("/kubelet"))
    site.faults[path] = [
        lambda response: response.headers.update(Location=path) or setattr(response, "status", 302)
    ] * 50
    with pytest.raises(RancherctlError, match="HTTP 302"):
        collect(site, tmp_path)


def test_a_redirect_from_https_to_http_is_refused() -> None:
    request = urllib.request.Request("https://releases.example/kubelet.sha256")
    with pytest.raises(RancherctlError, match="not https"):
        _NoDowngrade().redirect_request(
            request, io.BytesIO(), 302, "Found", Message(), "http://mirror.example/kubelet.sha256"
        )


def test_a_busy_server_is_retried_after_the_time_it_names(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", status(503), status(429, Retry_After="7"), status(502))
    fake_time = FakeTime()
    collect(site, tmp_path, fake_time)
    assert len(site.requests(path)) == 4
    assert fake_time.pauses == [1.0, 7.0, 4.0]


def test_the_number_of_failed_attempts_is_limited(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", *[status(503)] * 100)
    with pytest.raises(UnreachableError, match="6 attempts in a row failed, the last one: HTTP 503"):
        collect(site, tmp_path)
    assert len(site.requests(path)) == 6


def test_the_time_for_a_trickling_download_is_limited(site: Site, tmp_path: Path) -> None:
    path = site.fault("/kubelet", *[cut_after(1)] * 10_000)
    fake_time = FakeTime()
    with pytest.raises(TimeoutExceededError, match="was not complete in time"):
        fetch(
            site.url + path,
            tmp_path / "k",
            "0" * 64,
            progress=lambda _have, _size: None,
            terms=fake_time.terms(total=60.0),
        )
    assert fake_time.time <= 60


def test_a_closed_port_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="refused"):
        collect(Site({}, url="http://127.0.0.1:9"), tmp_path)


def test_a_full_disk_is_reported_and_not_retried(site: Site, tmp_path: Path) -> None:
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
                terms=FakeTime().terms(),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "too large" in caught.value.why
    assert site.requests(path) == [None]
