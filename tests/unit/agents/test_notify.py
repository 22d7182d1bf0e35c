"""systemd's socket: what cannot be sent is no reason to end the agent, whose hosts go on serving."""

import socket
from pathlib import Path

from rancherctl.agents.notify import notify


def test_messages_arrive(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        notify(str(tmp_path / "notify"), "READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_nobody_listens_or_listens_slowly(tmp_path: Path) -> None:
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
