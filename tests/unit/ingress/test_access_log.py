"""The access log: what becomes of a line, files of bounded size, and lines that cannot be written."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.haproxy import access_log, refusals
from rancherctl.ingress.haproxy.access_log_unit import resources, service_text, socket_text
from rancherctl.ingress.haproxy.layout import build
from rancherctl.ingress.haproxy.plan import Reload, Runtime, plan
from rancherctl.ingress.haproxy.render import Paths, config
from rancherctl.ingress.log_reader import LogFile, Reader
from rancherctl.ingress.model import BackendRef, Listener, Model, Route
from rancherctl.ingress.options import RouteOptions

LINE = (
    b'1790000000 7 192.0.2.9:4000 sH b3 {"time":"1790000000.042","client":"192.0.2.9","tls":"-","termination":"sH",'
    b'"mode":"%s","ingress":"shop/web","host":"a.com","method":"GET","path":"\\/x","status":504,"server":"10.0.0.1:80",'
    b'"retries":"+2","bytes":{"in":10,"out":20},"ms":{"request":0,"queue":0,"connect":1,"response":-1,"total":50}}\n'
)
BROKEN = b'1790000000 1 192.0.2.9:4001 PR - {"time":"1790000000.001","client":"192.0.2.9","tls":"-","termination":"PR"}'


def test_a_line_becomes_a_record() -> None:
    found = access_log.record(LINE % b"true")
    assert found == {
        "time": "2026-09-21T14:13:20.042Z",
        "client": "192.0.2.9",
        "termination": "sH",
        "ingress": "shop/web",
        "host": "a.com",
        "method": "GET",
        "path": "/x",
        "status": 504,
        "server": "10.0.0.1:80",
        "retries": 2,
        "bytes": {"in": 10, "out": 20},
        "ms": {"request": 0, "queue": 0, "connect": 1, "response": -1, "total": 50},
    }
    assert access_log.record(LINE % b"false") is None
    assert access_log.record(b"Proxy http-ipv4-80 stopped (cumulated conns: FE: 1, BE: 0).") is None


def test_refusals_are_found_in_lines_that_are_cut_off() -> None:
    denied = LINE.replace(b"sH", b"PR") % b""
    lines = [text.decode()[:100] for text in (LINE % b"", BROKEN, denied, b"1 2 192.0.2.9:1 sH b")]
    assert refusals.parse(lines[:3]) == [
        refusals.Refusal("timeout", "192.0.2.9:4000", "b3"),
        refusals.Refusal("request", "192.0.2.9:4001", ""),
    ]


def test_only_the_first_log_of_all_requests_needs_a_new_process() -> None:
    def model(mode: str) -> Model:
        options = RouteOptions(access_log=mode)  # type: ignore[arg-type]
        routes = (Route("a.com", "prefix", "/", BackendRef("ns", "a", 80), options, "ns/i"),)
        return Model((Listener("IPv4", 80),), routes)

    now = build(model("errors"), None)
    assert "option dontlog-normal" in config(now, Paths())
    assert isinstance(plan(now, model("false"), Paths()), Runtime)
    first = plan(now, model("true"), Paths())
    assert isinstance(first, Reload)
    assert first.reason == "the first access log of all requests"
    assert "option dontlog-normal" not in config(first.layout, Paths())
    assert first.layout.maps["access-log"] == dict.fromkeys(first.layout.maps["ingress"], "true")
    later = plan(first.layout, model("errors"), Paths())
    assert isinstance(later, Runtime)
    assert isinstance(plan(later.layout, model("true"), Paths()), Runtime)


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    yield pair
    for each in pair:
        each.close()


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_files_are_bounded_and_the_newest_lines_are_kept(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "access.log", size=100, files=3)
    for number in range(40):
        log.append(f'{{"n":{number:02}}}\n'.encode())
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["access.log", "access.log.1", "access.log.2"]
    assert all(f.stat().st_size <= 100 for f in files)
    assert [r["n"] for f in reversed(files) for r in records(f)] == list(range(40))[
        -sum(len(records(f)) for f in files) :
    ]
    assert files[0].stat().st_mode & 0o777 == 0o640


def test_lines_that_cannot_be_written_are_counted(tmp_path: Path, sockets: tuple[socket.socket, socket.socket]) -> None:
    """A damaged line, and a folder that is missing for a while; the number is the first record after that."""
    sender, receiver = sockets
    path = tmp_path / "log" / "access.log"
    reader = Reader(receiver, LogFile(path), now=lambda: 1790000000.0)
    for data in (LINE % b"", b"1 damaged", LINE % b""):
        sender.send(data)
    reader.step()
    path.parent.mkdir()
    sender.send(LINE % b"")
    reader.step()
    dropped, record = records(path)
    assert (dropped["time"], dropped["dropped"]) == ("2026-09-21T14:13:20.000Z", 3)
    assert record["ingress"] == "shop/web"
    sender.send(LINE % b"")
    reader.step()
    assert len(records(path)) == 3


def test_the_reader_has_no_rights_but_its_folder() -> None:
    text = service_text()
    for line in ("CapabilityBoundingSet=", "PrivateNetwork=yes", "ReadWritePaths=/var/log/rancherctl/ingress"):
        assert f"{line}\n" in text
    assert "SocketGroup=rancherctl-lb\nSocketMode=0660\n" in socket_text("/run/x")
    assert len({type(r) for r in resources("/run/x")}) == 4
