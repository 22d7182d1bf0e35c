"""systemd's notification socket: ready, watchdog, stopping (sd_notify(3)). Without the variable nothing is sent."""

from __future__ import annotations

import logging
import socket

log = logging.getLogger(__name__)


def notify(address: str, message: str) -> None:
    """Send one message to ``address`` ("" = not under systemd; "@" begins an abstract name).

    One that cannot be sent within a second (systemd is busy) is dropped with a warning: the next one counts.
    """
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1.0)
        try:
            sock.sendto(message.encode(), target)
        except OSError as error:
            log.warning("systemd was not told %s: %s", message, error)
