"""Exceptions of paramiko in one line."""

from __future__ import annotations

import paramiko


def line_of(error: BaseException) -> str:
    """An exception's message in one line."""
    # str() of a ChannelException is that of a tuple
    text = getattr(error, "text", "") if isinstance(error, paramiko.ChannelException) else ""
    return (getattr(error, "strerror", "") or text or str(error) or type(error).__name__).splitlines()[0][:300]
