"""A command as a value: argv words with secrets marked, standard input, time limit. A transport runs it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from rancherctl.secret import Secret

__all__ = ["Command", "Result", "Secret", "command", "script"]


@dataclass(frozen=True, slots=True)
class Command:
    """argv to run on a host.

    ``stdin`` is sent to standard input and never logged. ``root`` runs it with root rights (by sudo if the login is not
    root). ``timeout`` is in seconds for the whole run. Secrets belong into stdin: every user of the host can read argv.
    """

    argv: tuple[str, ...]
    stdin: bytes | None = field(default=None, repr=False)
    root: bool = True
    timeout: float = 60.0

    def show(self) -> str:
        """The command as typed in a shell, on one line: secrets are ``***``, long texts are shortened."""
        return " ".join("***" if isinstance(word, Secret) else shlex.quote(_shorten(word)) for word in self.argv)

    def line(self) -> str:
        """The quoted shell line that a transport sends."""
        return " ".join(shlex.quote(str(word)) for word in self.argv)


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a finished command: exit status, complete standard output and standard error.

    The status is negative if a signal ended the command.
    """

    command: Command
    status: int
    stdout: bytes = field(repr=False)
    stderr: bytes

    @property
    def ok(self) -> bool:
        """True for exit status 0."""
        return self.status == 0

    def text(self) -> str:
        """Standard output as text without the last newline; bytes that are not UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")


def _shorten(word: str) -> str:
    first = word.strip().partition("\n")[0]
    return word if first == word and len(word) <= 160 else f"{first[:160]}…"


def command(*argv: str, stdin: bytes | str | None = None, root: bool = True, timeout: float = 60.0) -> Command:
    """Shorthand for ``Command``; text for stdin is encoded as UTF-8."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return Command(tuple(argv), data, root, timeout)


def script(
    text: str, *args: str, stdin: bytes | str | None = None, root: bool = True, timeout: float = 60.0
) -> Command:
    """A fixed POSIX shell script with positional arguments ``$1 …``; never put user input into ``text``."""
    return command("sh", "-euc", text, "sh", *args, stdin=stdin, root=root, timeout=timeout)
