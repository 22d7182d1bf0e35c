"""Reachability: which hosts answer a TCP connect. Only loopback is used."""

import errno
import socket

import pytest

from rancherctl.agents import reachability


def test_an_answer_and_a_refusal_count_and_an_invalid_address_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked = {"up": "127.0.0.1", "name": "localhost", "empty": "", "odd": "x y", "scoped": "fe80::1%nope"}
        assert reachability.answering(asked, port=port, timeout=10.0) == {"up"}
    assert reachability.answering({"closed": "127.0.0.1"}, port=port, timeout=10.0) == {"closed"}


@pytest.mark.parametrize(
    ("code", "spared"),
    [(errno.ENETUNREACH, True), (errno.ENETDOWN, True), (errno.EHOSTUNREACH, False), (errno.ETIMEDOUT, False)],
)
def test_a_local_network_failure_says_nothing_about_other_hosts(
    monkeypatch: pytest.MonkeyPatch, code: int, spared: bool
) -> None:
    class Failing(socket.socket):
        def connect_ex(self, _: object) -> int:
            return code

    monkeypatch.setattr(socket, "socket", Failing)
    assert reachability.answering({"h2": "192.0.2.1"}) == ({"h2"} if spared else frozenset())


def test_a_process_without_free_sockets_loses_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sockets(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", no_sockets)
    assert reachability.answering({"h2": "192.0.2.1"}) == {"h2"}
