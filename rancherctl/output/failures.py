"""Error messages: what failed and where, why, what to do next; one line each. Pure."""

from __future__ import annotations

from rancherctl.errors import InvalidInputError, PartialError, PreflightError, RancherctlError
from rancherctl.output.tables import visible

_MARK = {True: "\x1b[31merror:\x1b[0m", False: "error:"}


def error_text(error: RancherctlError, *, color: bool = False, log: str = "") -> str:
    """The lines for standard error. Several findings get one line each; ``log`` is the path of the run's log file."""
    lines = [f"{_MARK[color]} {_line(error.what)}"]
    if isinstance(error, (InvalidInputError, PreflightError)):
        lines += [f"  - {_line(problem)}" for problem in error.problems]
    elif isinstance(error, PartialError):
        lines += [
            f"  - {_line(where)}: {_line(why.removeprefix(f'{where}: '))}"
            for where, why in sorted(error.failures.items())
        ]
    elif error.why:
        lines.append(f"  why:  {_line(error.why)}")
    if error.hint:
        lines.append(f"  next: {_line(error.hint)}")
    if log:
        lines.append(f"  log:  {log}")
    return "".join(f"{line}\n" for line in lines)


def _line(text: str) -> str:
    return visible(" ".join(text.split("\n")).strip())
