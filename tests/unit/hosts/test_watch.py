from __future__ import annotations

import threading
from typing import Any

from rancherctl.hosts.watch import watch


class Peer:
    """Answers ``answers`` questions, then falls silent until it is closed."""

    def __init__(self, answers: int) -> None:
        self.left = answers
        self.asked: list[str] = []
        self.ended = threading.Event()

    def global_request(self, kind: str, data: Any = None, wait: bool = True) -> None:
        self.asked.append(kind)
        if self.left == 0:
            self.ended.wait(60)
        self.left -= 1

    def is_active(self) -> bool:
        return not self.ended.is_set()

    def close(self) -> None:
        self.ended.set()


def test_silent_peer_is_closed_after_the_answers_end() -> None:
    peer = Peer(answers=3)
    watch(peer, threading.Event(), every=0, silence=0.05).join(60)
    assert peer.ended.is_set()
    assert len(peer.asked) == 4


def test_nothing_is_asked_of_a_closed_connection() -> None:
    peer, closed = Peer(answers=3), threading.Event()
    closed.set()
    watch(peer, closed, every=0, silence=1).join(60)
    peer.close()
    watch(peer, threading.Event(), every=0, silence=1).join(60)
    assert peer.asked == []
