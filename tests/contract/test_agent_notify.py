"""systemd's notification socket: a message that cannot be sent does not end the agent."""

import socket
from pathlib import Path

from rancherctl.agents.notify import notify


def test_a_message_reaches_the_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        notify(str(tmp_path / "notify"), "READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_a_missing_or_slow_listener_does_not_end_the_agent(tmp_path: Path) -> None:
    notify("", "READY=1")
    notify(str(tmp_path / "missing"), "WATCHDOG=1")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as busy,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        busy.bind(str(tmp_path / "notify"))
        other.setblocking(False)
        try:
            while True:
                other.sendto(b"x", str(tmp_path / "notify"))
        except BlockingIOError:
            notify(str(tmp_path / "notify"), "WATCHDOG=1")
