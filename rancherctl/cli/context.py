"""The composition root: combines settings, streams, transports and API clients for one run of a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rancherctl.cli.streams import out
from rancherctl.errors import PartialError, RancherctlError, UsageError
from rancherctl.events import Emit, Event
from rancherctl.settings import Settings, load, write_hint
from rancherctl.text import and_more

if TYPE_CHECKING:
    from rancherctl.cli.known_environments import KnownEnvironments
    from rancherctl.environments.model import Environment
    from rancherctl.hosts.connections import Connections

_flags: dict[str, Any] = {}


@dataclass(slots=True)
class RunState:
    """What ``app.main`` reports when a run fails: its log file and the unfinished steps."""

    log: Path | None = None
    unlogged: bool = False
    """The log file could not be opened, and a warning was printed."""
    open_steps: dict[str, Event] = field(default_factory=dict)
    paused: Callable[[], AbstractContextManager[object]] = nullcontext
    """Removes the progress view from the terminal, for a question."""

    def pause_view(self) -> AbstractContextManager[object]:
        """Remove the present progress view from the terminal while the block runs."""
        return self.paused()

    def track(self, event: Event) -> None:
        """Add a started step to the open ones, remove a finished one."""
        if event.state == "started":
            self.open_steps[event.subject] = event
        elif event.state in ("done", "failed"):
            self.open_steps.pop(event.subject, None)


state = RunState()


def set_flags(flags: Mapping[str, Any]) -> None:
    """Store the global flags of this run; called by the root before any command."""
    _flags.clear()
    _flags.update(flags)


@dataclass(frozen=True, slots=True)
class ErrorStyle:
    """How failures are printed."""

    debug: bool
    color: bool


def error_style() -> ErrorStyle:
    """The style from the settings; a default if the settings themselves are invalid."""
    try:
        settings = load(_flags)
    except RancherctlError:
        return ErrorStyle("--debug" in sys.argv, color=False)
    return ErrorStyle(settings.debug or "--debug" in sys.argv, settings.stderr_color)


@dataclass(frozen=True, slots=True)
class CommandRun:
    """One run of a command: its settings, and how it prints results and progress."""

    settings: Settings

    def known(self) -> KnownEnvironments:
        """The environments known on this machine."""
        from rancherctl.cli.known_environments import KnownEnvironments

        return KnownEnvironments(self.settings.dirs)

    def kubeconfig_files(self) -> tuple[Path, ...]:
        """The kubeconfig files in kubectl's order of precedence."""
        from rancherctl.credentials.kubeconfig import paths

        return paths(
            self.settings.kubeconfig, {"KUBECONFIG": self.settings.kubeconfig_list, "HOME": str(self.settings.home)}
        )

    def environment(self, name: str | None = None) -> Environment:
        """The selected environment: ``name``, --env, RANCHERCTL_ENV, the default, or the only one."""
        known = self.known()
        return known.read(known.select(name or self.settings.env))

    @contextmanager
    def connections(self) -> Iterator[Connections]:
        """The ssh connections of this run, closed at the end; prompts go to the terminal."""
        from rancherctl.cli.prompts import prompts
        from rancherctl.hosts.connections import Connections

        with Connections(prompts(self.settings, state.pause_view, self.say)) as connections:
            yield connections

    def log(self, text: str) -> None:
        """Write a text to the run's log file only."""
        from rancherctl.cli.runlog import logger

        logger().info("%s", text)

    def show(
        self, result: Any, *, default: str = "table", fail: bool = True, error: type[PartialError] = PartialError
    ) -> None:
        """Print a result (output.results) in the chosen format.

        Then ``error`` if parts are missing or failed, unless ``fail`` is False.
        """
        from rancherctl.output.render import render
        from rancherctl.output.results import Listing

        form = self.settings.output or default
        text = render(result, form)
        out(text)
        if isinstance(result, Listing) and not result.items and not result.failures and form in ("table", "wide"):
            self.say(result.empty or f"no {result.kind.lower()} found")
        if result.failures and fail:
            failures = {failure.where: failure.what for failure in result.failures}
            raise error(f"{and_more(sorted(failures))} {result.trouble}", failures, hint=result.hint)

    def say(self, text: str) -> None:
        """Print text for a person on standard error."""
        from rancherctl.output.tables import visible

        sys.stderr.write("".join(f"{visible(line)}\n" for line in text.splitlines()))

    def next(self, *commands: str) -> None:
        """Print the next commands to run; for table output only."""
        if self.settings.output in ("", "table", "wide") and self.settings.progress != "none":
            self.say("\n".join(f"next: {command}" for command in commands))

    @contextmanager
    def progress(self) -> Iterator[Emit]:
        """Show events on standard error while the block runs, and log them."""
        from rancherctl.cli.runlog import logger
        from rancherctl.output.progress import progress

        log = logger()
        settings = self.settings
        with progress(
            settings.progress, sys.stderr, live=settings.live, debug=settings.verbose, color=settings.stderr_color
        ) as shown:

            def emit(event: Event) -> None:
                state.track(event)
                log.info("%s %s %s %s", event.subject or "-", event.phase, event.state, event.message)
                with suppress(
                    OSError
                ):  # the terminal was closed: the run continues and releases its locks; the log has the event
                    shown.emit(event)

            state.paused = shown.paused
            try:
                yield emit
            finally:
                state.paused = nullcontext

    def confirm_name(self, what: str, name: str, given: str | None) -> None:
        """Ask to type the name of what is removed; scripts pass ``--confirm NAME``."""
        if given is None and self.settings.interactive:
            given = input_line(f"{what} Type its name ({name}) to continue: ").strip()
        if given is None:
            raise UsageError(f"not confirmed: {what}", why="cannot prompt for it here", hint=f"add --confirm {name}")
        if given != name:
            raise UsageError(
                f"not confirmed: {what}",
                why=f"{given!r} does not match {name!r}",
                hint="nothing was changed; try again with the right name",
            )


def input_line(prompt: str) -> str:
    """One line from standard input, with the prompt on standard error because standard output is for data."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise UsageError("no answer: end of input", hint="add --confirm NAME")
    return line


def current(*, env: str | None = None, output: str | None = None) -> CommandRun:
    """The run with a command's own --env and --output; the first call opens the log file."""
    settings = load({**_flags, "env": env, "output": output})
    if state.log is None and not state.unlogged:
        from rancherctl.cli import runlog

        folder = settings.dirs.state / "log"
        try:
            state.log = runlog.start(folder, [word for word in sys.argv[1:] if not word.startswith("-")])
        except OSError as error:
            state.unlogged = True
            runlog.discard()
            hint = write_hint(str(folder), os.environ)
            CommandRun(settings).say(f"warning: cannot write a log file in {folder}: {error.strerror or error}; {hint}")
    return CommandRun(settings)
