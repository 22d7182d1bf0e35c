"""The test web server, built by the modules source and queried over HTTP."""

import hashlib
import http.client
import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rancherctl.bundle.sources.modules import build_testweb
from rancherctl.events import ignore

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import platform

    return build_testweb(ARCH[platform.machine()], tmp_path_factory.mktemp("cache"), ignore)


class Server:
    """A running server on a free ``port``."""

    def __init__(self, program: Path) -> None:
        argv = [
            "env",
            "POD_NAME=mdb-0",
            str(program),
            "serve",
            "-listen",
            "127.0.0.1:0",
            "-linger",
            "400ms",
            "-drain",
            "10s",
        ]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = re.search(r":(\d+)$", self.process.stderr.readline().strip())
        assert found
        self.port = int(found[1])

    def request(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            with connection.getresponse() as response:
                return response.status, response.read()

    def json(self, path: str, **more: Any) -> dict[str, Any]:
        code, body = self.request(path, **more)
        assert code == 200
        answer: dict[str, Any] = json.loads(body)
        return answer

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(15)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@pytest.fixture
def server(program: Path) -> Iterator[Server]:
    made = Server(program)
    yield made
    made.stop()


def test_the_response_describes_the_request_and_the_pod(server: Server) -> None:
    answer = server.json("/foo?a=1", Host="foo.bar.com", X_Forwarded_For="9.9.9.9")
    assert (answer["pod"], answer["path"], answer["query"], answer["host"], answer["proto"]) == (
        "mdb-0",
        "/foo",
        "a=1",
        "foo.bar.com",
        "HTTP/1.1",
    )
    assert answer["remote"].startswith("127.0.0.1:")


def test_bodies_are_received_and_sent_completely(server: Server) -> None:
    sent = bytes(range(256)) * 4096
    answer = server.json("/up", method="POST", body=sent)
    assert (answer["size"], answer["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest())
    code, got = server.request("/body?size=1000003")
    assert (code, len(got)) == (200, 1_000_003)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/status?code=503", 503),
        ("/status?code=9", 400),
        ("/body?size=-1", 400),
        ("/delay?ms=x", 400),
        ("/healthz", 200),
    ],
)
def test_the_status_code_is_the_requested_one_or_400(path: str, code: int, server: Server) -> None:
    assert server.request(path)[0] == code


def test_after_sigterm_the_health_check_fails_and_requests_are_served_until_the_end(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as slow:
        slow.request("GET", "/delay?ms=700")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.stderr is not None
        assert "asked to stop" in server.process.stderr.readline()
        assert server.request("/healthz")[0] == 503
        assert server.json("/late")["path"] == "/late"
        with slow.getresponse() as response:
            assert response.status == 200, "a request in progress when the listener closed is answered"
    assert server.stop() == 0


def test_the_helpers_fetch_connect_and_resolve(program: Path, server: Server) -> None:
    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *argv], capture_output=True, text=True, timeout=60, check=False)

    url = f"http://127.0.0.1:{server.port}"
    assert run("get", "-count", f"{url}/body?size=12345").stdout == "12345\n"
    assert run("get", f"{url}/status?code=404").returncode == 1
    assert (
        json.loads(run("get", "-host", "a.b", "-method", "POST", "-send", "70000", f"{url}/x").stdout)["size"] == 70000
    )
    assert run("dial", f"127.0.0.1:{server.port}").returncode == 0
    assert run("dial", "127.0.0.1:9").returncode == 1
    assert "127.0.0.1" in run("resolve", "localhost").stdout.split()
    assert "known: cat dial get" in run("nonsense").stderr
