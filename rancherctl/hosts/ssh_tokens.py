"""Expand tokens, variables and home directories in values of an ssh configuration, which ``ssh -G`` leaves alone. Pure.

Source: ssh_config(5), section TOKENS. UsageError for a token or variable that OpenSSH refuses, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from rancherctl.errors import UsageError

_TOKEN = re.compile(r"%(.?)")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def expand(keyword: str, text: str, tokens: Mapping[str, str]) -> str:
    """Replace ``%x`` by ``tokens["x"]``; ``%%`` is a percent sign."""

    def value(match: re.Match[str]) -> str:
        letter = match.group(1)
        if letter == "%":
            return letter
        if letter not in tokens:
            raise UsageError(
                f"{keyword} {text}: unknown token %{letter}",
                hint=f"check {keyword} in your ssh configuration; a percent sign is written %%",
            )
        return tokens[letter]

    return _TOKEN.sub(value, text)


def expand_path(keyword: str, text: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The path that a value names: ``~``, ``~user``, ``${VARIABLE}`` and tokens."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environ:
            raise UsageError(
                f"{keyword} {text}: the environment variable {name} is not set",
                hint=f"set {name}, or change {keyword} in your ssh configuration",
            )
        return environ[name].replace("%", "%%")

    try:
        own = text == "~" or text.startswith("~/")
        path = f"%d{text[1:]}" if own else str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError as error:
        raise UsageError(
            f"{keyword} {text}: no such user", hint=f"change {keyword} in your ssh configuration"
        ) from error
    return expand(keyword, _VARIABLE.sub(value, path), tokens)


def split_paths(text: str, exists: Callable[[str], bool]) -> tuple[str, ...]:
    """The paths of a value that names several, of which ``ssh -G`` prints those with spaces without quotes.

    A word that does not begin a path continues the one before it; of longer paths that exist the longest is meant.
    """
    words = text.split(" ")
    found = list[str]()
    while words:
        begins = [index for index, word in enumerate(words) if index == 0 or word.startswith(("/", "~"))]
        ends = [*begins[1:], len(words)]
        candidates = [" ".join(words[:end]) for end in ends]
        index = next((i for i in reversed(range(len(ends))) if exists(candidates[i])), 0)
        found.append(candidates[index])
        words = words[ends[index] :]
    return tuple(path for path in found if path)
