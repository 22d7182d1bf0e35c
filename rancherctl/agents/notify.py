"""Send messages to systemd's notification socket: ready, watchdog, stopping (sd_notify(3))."""

from __future__ import annotations

import logging
import socket

log = logging.getLogger(__name__)


def notify(address: str, message: str) -> None:
    """Send one message to ``address`` ("" = not run by systemd; "@" begins an abstract name).

    A message that cannot be sent within a second is dropped with a warning: the next one counts.
    """
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1.0)
        try:
            sock.sendto(message.encode(), target)
        except OSError as error:
            log.warning("cannot send %s to systemd: %s", message, error)
