"""Rewrites argv before it is parsed: global options anywhere, ``-o=json``, ``help TOPIC``. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

GLOBAL_VALUES: Final = ("--color", "--progress", "--kubeconfig")
GLOBAL_FLAGS: Final = ("--debug", "--no-input", "--verbose", "--yes", "-v")


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Which words of a pass-through command belong to rancherctl.

    ``options`` with values, and the first ``operands`` words.
    """

    options: tuple[str, ...]
    operands: int = 0


PASS_THROUGH: Final[Mapping[tuple[str, ...], PassThrough]] = {
    ("kubectl",): PassThrough(("--env", "-e")),
    ("lab", "ssh"): PassThrough(("--name",), 1),
}
"""Commands whose arguments are for another program: these are left unchanged."""

_SHORT_EQUALS: Final = re.compile(r"-[A-Za-z]=")
_HELP: Final = ("-h", "--help")


def normalise(argv: Sequence[str], topics: Collection[str], nouns: Mapping[str, str]) -> list[str]:
    """The words in the parser's order: global options first.

    Words after ``--`` and of pass-through commands are unchanged.

    ``nouns`` maps each noun and each alias to its noun.
    """
    front: list[str] = []
    rest: list[str] = []
    path: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name = word.partition("=")[0]
        through = PASS_THROUGH.get(tuple(path))
        if through is not None:
            rest += _own_first([word, *words], through)
            break
        if word == "--":
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
                path.append(word if path else nouns.get(word, word))
            rest.append(word)
    return front + _help(rest, topics, nouns)


def _own_first(words: list[str], through: PassThrough) -> list[str]:
    """rancherctl's own words, then ``--`` and the other program's.

    The parser would otherwise find ``-e`` in ``-ndev``.
    """
    own: list[str] = []
    operands = through.operands
    while words and words[0] != "--":
        name, equals, value = words[0].partition("=")
        if words[0] in _HELP:
            own.append(words.pop(0))
        elif name in through.options and not equals:
            own, words = own + words[:2], words[2:]
        elif name in through.options:
            own += [name, value]
            del words[0]
        elif words[0][:2] in through.options:
            own += [words[0][:2], words.pop(0)[2:]]
        elif not words[0].startswith("-") and operands:
            operands -= 1
            own.append(words.pop(0))
        else:
            break
    foreign = words[1:] if words[:1] == ["--"] else words
    return [*own, "--", *foreign] if foreign else own


def _help(words: list[str], topics: Collection[str], nouns: Mapping[str, str]) -> list[str]:
    if words[:1] != ["help"]:
        return words
    subject = [word for word in words[1:] if not word.startswith("-")]
    if not subject:
        return ["help", "--help"] if words[1:] else ["--help"]
    return [*subject, "--help"] if subject[0] in nouns and subject[0] not in topics else words
