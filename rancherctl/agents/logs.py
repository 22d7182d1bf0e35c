"""Logging on hosts: one line for each message on standard error, with its level for the journal."""

from __future__ import annotations

import logging

_LEVELS = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class JournalFormatter(logging.Formatter):
    """``<priority>message``: sd-daemon(3) prefixes on every line, so that `journalctl -p warning` works."""

    def format(self, record: logging.LogRecord) -> str:
        """Prefix every line, also those of a traceback."""
        priority = next((p for level, p in _LEVELS if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def setup(*, debug: bool = False) -> None:
    """Send all logging to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JournalFormatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler], force=True)
