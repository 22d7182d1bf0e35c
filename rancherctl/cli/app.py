"""Entry points: fast paths with few imports, then the command tree.

Every failure becomes a message and an exit code here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rancherctl.cli import streams

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from rancherctl.errors import RancherctlError

INTERRUPTED = 130
CLOSED_PIPE = 141


def main(argv: Sequence[str] | None = None, prog: str = "rancherctl") -> int:
    """Run one command line and return its exit code (see ``rancherctl help exit-codes``)."""
    words = list(sys.argv[1:] if argv is None else argv)
    streams.open_missing()
    streams.encode_any_text()
    try:
        if words == ["--version"]:
            from rancherctl import __version__

            streams.out(f"rancherctl {__version__}\n")
            return 0
        return _run(words, prog)
    except BrokenPipeError:
        streams.discard(1)
        return CLOSED_PIPE
    except KeyboardInterrupt:  # before signals were handled, or while a failure was being printed
        return _interrupted()
    except Exception as error:  # noqa: BLE001  (the border: any failure gets a message, an exit code and a log line)
        return _failed(error)


def main_kubectl_plugin() -> int:
    """``kubectl rancher …``: the same tree under another name."""
    return main(prog="kubectl rancher")


def _run(words: list[str], prog: str) -> int:
    import os

    import typer

    from rancherctl.cli import root
    from rancherctl.cli.args import normalise
    from rancherctl.cli.docs.topics import TOPICS
    from rancherctl.settings import complete_login

    _watch_signals()
    complete_login(os.environ)
    words = normalise(
        words, TOPICS, {word: noun for noun, entry in root.Root.nouns.items() for word in (noun, *entry.aliases)}
    )
    try:
        command = root.command()
        with command.make_context(prog, words) as parsed:
            command.invoke(parsed)
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    return 0


def _failed(found: Exception) -> int:
    import traceback

    from rancherctl.cli import context, runlog
    from rancherctl.errors import RancherctlError
    from rancherctl.output.failures import error_text

    error = found if isinstance(found, RancherctlError) else _unexpected(found)
    log = ""
    if context.state.log is not None:
        runlog.logger().error("%s", error, exc_info=error)
        log = str(context.state.log)
    style = context.error_style()
    trace = "".join(traceback.format_exception(error)) if style.debug else ""
    _write_error(trace + error_text(error, color=style.color, log=log))
    return error.exit_code


def _unexpected(error: Exception) -> RancherctlError:
    import errno
    import os

    from rancherctl.errors import RancherctlError
    from rancherctl.settings import write_hint

    if isinstance(error, OSError) and error.filename:
        elsewhere = write_hint(os.fsdecode(error.filename), os.environ)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some disk space" + (f", or {elsewhere}" if elsewhere else "")
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR) and elsewhere:
            hint = elsewhere
        else:
            hint = "check its permissions and free disk space; --debug shows where this happened"
        wrapped = RancherctlError(f"cannot use {error.filename}", why=error.strerror or str(error), hint=hint)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        streams.discard(1)
        wrapped = RancherctlError(
            "cannot write",
            why=error.strerror or str(error),
            hint="free some disk space, also where standard output goes",
        )
    else:
        hint = "run the command again with --debug and report the traceback"
        wrapped = RancherctlError("internal error", why=f"{type(error).__name__}: {error}", hint=hint)
    wrapped.__cause__ = error
    return wrapped


def _usage(error: Exception) -> int:
    """Print an error of the parser and where help is."""
    ctx = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        _write_error(f"{ctx.get_help()}\n" if ctx else "")
        return 2
    text = getattr(error, "format_message", lambda: str(error))().replace(
        "is not a valid int.", "is not a valid integer."
    )
    _write_error(f"error: {text}\n  next: {ctx.command_path if ctx is not None else 'rancherctl'} --help\n")
    return 2


def _interrupted() -> int:
    from rancherctl.cli import context

    text = "interrupted"
    steps = list(context.state.open_steps.values())
    if steps:
        text += " during " + ", ".join(f"{s.phase}{' on ' + s.subject if s.subject else ''}" for s in steps[:6])
        text += "\n  next: run the same command again to resume"
    _write_error(f"{text}\n")
    return INTERRUPTED


def _write_error(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # the terminal was closed; the exit code still tells what happened
        streams.discard(2)


def _watch_signals() -> None:
    """Ctrl-C, SIGTERM and a closed terminal interrupt the run: locks are released and unfinished steps are printed.

    A second Ctrl-C exits at once. Further SIGTERM and SIGHUP are ignored, because they may arrive twice by
    themselves: ``timeout`` also signals its process group, and shells repeat the hangup of their terminal.
    """
    import os
    import signal
    import threading

    def exit_now(_number: int, _frame: FrameType | None) -> None:
        cursor = b"\x1b[?25h" if os.isatty(2) else b""  # a live view hides the cursor
        os.write(
            2,
            cursor + b"\ninterrupted twice: exiting now; run the same command again once the lock has expired\n",
        )
        os._exit(INTERRUPTED)

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, exit_now)
        for number in ends:
            signal.signal(number, lambda _number, _frame: None)
        raise KeyboardInterrupt

    ends = [
        signal.SIGTERM,
        *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []),
    ]  # nohup ignores it
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, *ends):
            signal.signal(number, stop)
