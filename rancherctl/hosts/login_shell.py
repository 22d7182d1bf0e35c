"""A command line for whatever the user's login shell is. Pure.

sshd gives the line to the login shell. Each shell quotes in its own way: csh ends a quoted word at a newline and
replaces ``!!`` even within quotes, fish takes two backslashes within quotes for one, zsh replaces a word that begins
with ``=``.
"""

from __future__ import annotations

import re
from typing import Final

_RISKY: Final = re.compile(r"[^ -~]|[!\\]|(?:^| )[=%]")
"""What some shell does not take as sh does, although sh's quotes are around it."""
_RUN: Final = 'sh -c \'eval "exec $(printf %b "$@")"\' sh'
_PIECE: Final = 200
"""Bytes of a word, of which each may take five characters: words of csh have at most 1023."""


def for_login_shell(line: str) -> str:
    """A line that every shell takes as sh takes ``line``, a program with its arguments."""
    if len(line) <= _PIECE and _RISKY.search(line) is None:
        return line
    escaped = [_escape(byte) for byte in line.encode("utf-8", "surrogateescape")]
    pieces = [escaped[start : start + _PIECE] for start in range(0, len(escaped), _PIECE)]
    return " ".join([_RUN, *(f"'{''.join(piece)}'" for piece in pieces)])


def _escape(byte: int) -> str:
    """A byte as printf's %b reads it: letters, digits and what no shell treats in a special way within quotes."""
    char = chr(byte)
    return char if " " <= char <= "~" and char not in "!'\\" else f"\\0{byte:03o}"
