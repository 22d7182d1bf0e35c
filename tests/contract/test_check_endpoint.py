"""The check endpoint's socket, without a network."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from rancherctl.errors import RancherctlError
from rancherctl.pod_paths.endpoint import EndpointProcess, ask


def test_an_agent_that_goes_before_its_answer_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy host, an agent gives up waiting: the endpoint answers the next one."""
    left, failed, threads = threading.Event(), list[object](), list[threading.Thread]()
    monkeypatch.setattr(threading, "excepthook", failed.append)

    def configure(_address: str, _gateway: str) -> None:
        threads.append(threading.current_thread())
        assert left.wait(60)
        raise RancherctlError("no device")

    server = EndpointProcess("h1", tmp_path / "probe.sock", configure)
    accepting = threading.Thread(target=server.serve, daemon=True)
    accepting.start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "probe.sock"))
        sock.sendall(json.dumps({"configure": {"address": "10.42.1.254", "gateway": "10.42.1.1"}}).encode() + b"\n")
        deadline = threading.Event()
        while not threads:
            deadline.wait(0.01)
    left.set()
    threads[0].join(60)
    assert failed == []
    assert ask(tmp_path / "probe.sock", {}, 60.0) == {"address": ""}
    server.close()
