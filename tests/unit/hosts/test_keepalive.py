"""A silent peer is noticed and its connection closed."""

from __future__ import annotations

import threading
from typing import Any

from rancherctl.hosts.ssh.keepalive import keep_alive


class Peer:
    """Answers ``answers`` questions, then falls silent until it is closed."""

    def __init__(self, answers: int) -> None:
        self.left = answers
        self.requests: list[str] = []
        self.ended = threading.Event()

    def global_request(self, kind: str, data: Any = None, wait: bool = True) -> None:
        self.requests.append(kind)
        if self.left == 0:
            self.ended.wait(60)
        self.left -= 1

    def is_active(self) -> bool:
        return not self.ended.is_set()

    def close(self) -> None:
        self.ended.set()


def test_a_peer_that_stops_answering_is_closed() -> None:
    peer = Peer(answers=3)
    keep_alive(peer, threading.Event(), every=0, silence=0.05).join(60)
    assert peer.ended.is_set()
    assert len(peer.requests) == 4


def test_a_closed_connection_sends_no_request() -> None:
    peer, closed = Peer(answers=3), threading.Event()
    closed.set()
    keep_alive(peer, closed, every=0, silence=1).join(60)
    peer.close()
    keep_alive(peer, threading.Event(), every=0, silence=1).join(60)
    assert peer.requests == []
