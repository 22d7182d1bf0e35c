"""What is done to argv before it is parsed: global options may stand anywhere, ``-o=json`` works, ``help TOPIC``. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

GLOBAL_VALUES: Final = ("--color", "--progress", "--kubeconfig")
GLOBAL_FLAGS: Final = ("--debug", "--no-input")
PASS_THROUGH: Final = (("kubectl",), ("lab", "ssh"))
"""Commands whose arguments belong to another program: nothing behind them is touched."""

_SHORT_EQUALS: Final = re.compile(r"-[A-Za-z]=")


def normalise(argv: Sequence[str], topics: frozenset[str] = frozenset()) -> list[str]:
    """The words in the order that the parser needs: global options first. Words after ``--`` and of pass-through commands stay as they are."""
    front: list[str] = []
    rest: list[str] = []
    path: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name = word.partition("=")[0]
        if word == "--" or tuple(path) in PASS_THROUGH:
            rest += [word, *words]
            break
        if word in GLOBAL_FLAGS or ("=" in word and name in GLOBAL_VALUES):
            front.append(word)
        elif word in GLOBAL_VALUES and words:
            front += [word, words.pop(0)]
        elif _SHORT_EQUALS.match(word):
            rest += [word[:2], word[3:]]
        else:
            if not word.startswith("-") and len(path) < 2:
                path.append(word)
            rest.append(word)
    return front + _help(rest, topics)


def _help(words: list[str], topics: frozenset[str]) -> list[str]:
    if words[:1] != ["help"]:
        return words
    asked = [word for word in words[1:] if not word.startswith("-")]
    if not asked:
        return ["help", "--help"] if words[1:] else ["--help"]
    return words if asked[0] in topics else [*asked, "--help"]
