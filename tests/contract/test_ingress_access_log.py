"""The access log of a real HAProxy: which requests it has, records that stay valid JSON, and a reader that is away."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.log_reader import LogFile, Reader
from rancherctl.ingress.options import AccessLog
from rancherctl.polling import poll_until
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.tls_host import TlsHost, site

MODE = f"{INGRESS_PREFIX}access-log"
ACCESS = f"{INGRESS_PREFIX}allow-source"


class Log:
    """The reader of a host's access log, in a thread: the kernel keeps few datagrams. ``reads``: whether it runs."""

    def __init__(self, host: LoadBalancerHost, folder: Path, *, reads: bool = True) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(host.haproxy.paths.log)
        self._path = folder / "access.log"
        self._reader = Reader(self._sock, LogFile(self._path))
        self._host = host
        self._taken = self._turn = 0
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        if reads:
            self._thread.start()

    def _run(self) -> None:
        while self._open:
            self._reader.step()

    def take(self) -> list[dict[str, Any]]:
        """Records since the last call, without the marker: a refused request after all others.

        It is sent again until it is seen: a busy machine may have had no room for its line.
        """
        self._turn += 1
        marker = f"/last-{self._turn}"
        records: list[dict[str, Any]] = []

        def marked() -> bool:
            self._host.haproxy.request("marker.example", marker)
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
            lines = text.splitlines(keepends=True)[self._taken :]
            records[:] = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be half written
            return any(record.get("path") == marker for record in records)

        assert poll_until(marked, 30, first=0.002)
        self._taken += len(records)
        return [record for record in records if not record.get("path", "").startswith("/last-")]

    def close(self) -> None:
        self._open = False
        if self._thread.is_alive():
            self._sock.sendto(b"the last line", self._sock.getsockname())
            self._thread.join(30)
        self._sock.close()


MARKER = fake.ingress("marker", [("marker.example", "Prefix", "/", "web:80")], annotations={ACCESS: "192.0.2.1"})
SERVICES = {"web": ["w1"]}


@pytest.fixture
def log(lb_host: LoadBalancerHost, tmp_path: Path) -> Iterator[Log]:
    log = Log(lb_host, tmp_path)
    yield log
    log.close()


def site_of(name: str, *, path: str = "/", **options: str) -> Any:
    """An Ingress for one host name; ``options`` are annotations, with underscores."""
    rules = [(f"{name}.example", "Prefix", path, "web:80")]
    annotations = {f"{INGRESS_PREFIX}{key.replace('_', '-')}": value for key, value in options.items()}
    return fake.ingress(name, rules, annotations=annotations, version=f"{path} {options}")


def test_by_default_only_errors_are_logged(lb_host: LoadBalancerHost, log: Log) -> None:
    """Answers with 500 and above, of the service and of the load balancer, and refusals; each with its Ingress."""
    sites = [MARKER, site_of("a"), site_of("small", body_size="1"), site_of("moved", redirect="https://x.example/")]
    lb_host.reconcile(sites, SERVICES)
    request = lb_host.haproxy.request
    assert [request("a.example", "/")[0], request("a.example", "/x?status=404")[0]] == [200, 404]
    assert request("unknown.example", "/")[0] == 404
    assert log.take() == []
    assert request("a.example", "/x?status=500&secret=1")[0] == 500
    assert request("small.example", "/up", "POST", {"Content-Length": "2"})[0] == 413
    refused, denied = log.take()
    assert refused | {"time": "", "ms": "", "bytes": "", "server": ""} == {
        "time": "",
        "client": "127.0.0.1",
        "termination": "--",
        "ingress": "default/a",
        "host": "a.example",
        "method": "GET",
        "path": "/x",
        "status": 500,
        "retries": 0,
        "server": "",
        "ms": "",
        "bytes": "",
    }
    assert refused["server"] == "{}:{}".format(*lb_host.pod("w1").endpoint)
    assert (denied["ingress"], denied["status"], denied["termination"]) == ("default/small", 413, "PR")
    lb_host.pod("w1").close()
    assert request("a.example", "/")[0] in {502, 503}
    (failed,) = log.take()
    assert (failed["ingress"], failed["status"], failed["retries"] > 0) == ("default/a", 503, True)


def test_the_option_changes_at_run_time_after_the_first_log_of_all_requests(
    lb_host: LoadBalancerHost, log: Log
) -> None:
    """`true` logs redirects and preflights, too; `false` not even errors; neighbours stay as they are."""

    def paths(mode: str) -> list[tuple[str, int]]:
        more = {"access_log": mode} if mode else {}
        redirect = site_of("moved", redirect="https://x.example/", **more)
        cors = site_of("cors", cors_origins="*", **more)
        lb_host.reconcile([MARKER, site_of("other"), site_of("a", **more), redirect, cors], SERVICES)
        request = lb_host.haproxy.request
        for host in ("a.example", "other.example", "moved.example"):
            request(host, "/ok")
        request("a.example", "/bad?status=503")
        request("cors.example", "/pre", "OPTIONS", {"Origin": "x", "Access-Control-Request-Method": "GET"})
        return [(record["path"], record["status"]) for record in log.take()]

    everything = [("/ok", 200), ("/ok", 302), ("/bad", 503), ("/pre", 204)]
    assert paths("") == [("/bad", 503)]
    reloads = lb_host.driver.counters.reloads
    assert paths("true") == everything
    assert lb_host.driver.counters.reloads == reloads + 1
    assert [paths("false"), paths("errors"), paths("true")] == [[], [("/bad", 503)], everything]
    assert lb_host.driver.counters.reloads == reloads + 1


def test_what_clients_send_stays_valid_json(lb_host: LoadBalancerHost, log: Log) -> None:
    """Records are parsed by ``take``; the query, which may have secrets, is not logged."""
    lb_host.reconcile([MARKER, site_of("a", access_log="true")], SERVICES)
    odd = [
        b'/"\\',
        b"/" + b'"' * 20_000,
        b"/\\u0000%00\\",
        b"/'{}%[src]%ci",
        "/é€".encode(),
        b'/{"a":1}</script>',
        b"/\xff\xfe",
        b"/\x01",
    ]
    odd += [b"http://a.example/x", b"*", b"/" + b"%" * 9000]
    heads = [b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % path for path in odd]
    heads += [
        b'GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: "}\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: a".\\"\r\n\r\n',
    ]
    heads += [b"%b / HTTP/1.1\r\nHost: a.example\r\n\r\n" % method for method in (b"A'`|~%^", b"M" * 3000, b'"')]
    heads += [b"\x16\x03\x01\x02\x00", b"GET", b'{"a":1}\r\n\r\n']
    records = []
    for head in heads:
        with socket.create_connection(("127.0.0.1", lb_host.haproxy.port), timeout=20) as client:
            client.sendall(head)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                continue
        records += log.take()
    assert all(set(r) <= KEYS and len(json.dumps(r)) < 8 << 10 for r in records)
    assert {r["path"] for r in records if "path" in r} >= {
        '/"\\',
        "/" + '"' * 1023,
        "/'{}%[src]%ci",
        '/{"a":1}</script>',
    }
    assert sum("path" not in r for r in records) >= 4, "malformed requests"


KEYS = {
    "time",
    "client",
    "tls",
    "termination",
    "ingress",
    "host",
    "method",
    "path",
    "status",
    "server",
    "retries",
    "bytes",
    "ms",
}


def test_ingresses_that_share_a_pool_are_named_together(lb_host: LoadBalancerHost, log: Log) -> None:
    lb_host.reconcile([MARKER, site_of("a"), site_of("b")], SERVICES)
    lb_host.haproxy.request("b.example", "/x?status=500")
    assert [r["ingress"] for r in log.take()] == ["default/a,default/b"]
    lb_host.reconcile([MARKER, site_of("b")], SERVICES)
    lb_host.haproxy.request("b.example", "/x?status=500")
    assert [r["ingress"] for r in log.take()] == ["default/b"]


def test_an_answer_that_breaks_off_is_logged_and_reported_even_with_a_log_of_all_requests(
    lb_host: LoadBalancerHost, log: Log
) -> None:
    """The log of refusals in HAProxy's memory, from which problems of Ingresses are made, is as before."""
    sites = [MARKER, site_of("a", timeout_read="50ms"), site_of("other", access_log="true")]
    lb_host.reconcile(sites, SERVICES)
    assert lb_host.haproxy.request("a.example", "/slow")[0] == 504
    assert [(r["status"], r["termination"]) for r in log.take()] == [(504, "sH")]
    lb_host.now += 10
    section = lb_host.reconcile(sites, SERVICES)
    assert [problem[0] for problem in section["problems"]["default/a"]] == ["ReadTimeout"]
    assert not section.get("note"), "what a rule refuses is not malformed"


def test_without_a_reader_requests_are_answered_and_a_full_socket_is_counted(
    lb_host: LoadBalancerHost, tmp_path: Path
) -> None:
    log = Log(lb_host, tmp_path, reads=False)
    lb_host.reconcile([MARKER, site_of("a", access_log="true")], SERVICES)
    while not lb_host.driver.info().dropped_logs:
        assert lb_host.haproxy.request("a.example", "/")[0] == 200
    lb_host.now += 10
    assert lb_host.reconcile([MARKER, site_of("a", access_log="true")], SERVICES)["metrics"]["dropped_logs"] > 0
    log.close()
    assert lb_host.haproxy.request("a.example", "/")[0] == 200
    Path(lb_host.haproxy.paths.log).unlink()
    assert lb_host.haproxy.request("a.example", "/")[0] == 200


def test_https_is_named_and_a_reload_keeps_the_log(tls_host: TlsHost, tmp_path: Path) -> None:
    log, pair = Log(tls_host, tmp_path), tls_host.authority.issue("a.example")
    own = site("a.example", "sa", annotations={MODE: "true"})
    tls_host.follow([MARKER, own], [pair.copy("sa")])
    tls_host.reload()
    assert tls.answer(tls_host.port, "a.example") == "w1"
    records = log.take()
    log.close()
    (record,) = records
    assert (record["tls"], record["host"], record["status"]) == ("TLSv1.3", "a.example", 200)


def test_the_environment_says_what_is_logged_for_ingresses_that_do_not(lb_host: LoadBalancerHost, log: Log) -> None:
    """`ingress.accessLog`; an Ingress on the host keeps its content hash, whatever the environment says."""
    quiet = fake.ingress("quiet", [("quiet.example", "Prefix", "/", "web:80")], annotations={MODE: "errors"})
    silent = fake.ingress("silent", [("silent.example", "Prefix", "/", "web:80")], annotations={MODE: "false"})
    usual = fake.ingress("usual", [("usual.example", "Prefix", "/", "web:80")])
    notes = {ACCESS: "192.0.2.1", MODE: "errors"}
    marker = fake.ingress("marker", [("marker.example", "Prefix", "/", "web:80")], annotations=notes)
    every = [marker, quiet, silent, usual]

    def logged() -> list[str]:
        for name in ("quiet", "silent", "usual"):
            assert lb_host.haproxy.answer(f"{name}.example") == "w1"
        return sorted({r["host"] for r in log.take() if r.get("status") == 200})

    hashes = set()
    cases: tuple[tuple[AccessLog, list[str]], ...] = (("errors", []), ("true", ["usual.example"]), ("false", []))
    for default, found in cases:
        lb_host.role = lb_host.new_role(access_log=default)
        section = lb_host.reconcile(every, SERVICES)
        hashes.add(tuple(sorted(section["served"].items())))
        assert logged() == found, default
    assert len(hashes) == 1
