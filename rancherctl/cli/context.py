"""The composition root: the only place where settings, streams, transports, API clients and the domains are put together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rancherctl.cli.streams import out
from rancherctl.errors import PartialError, RancherctlError, UsageError
from rancherctl.events import Emit, Event
from rancherctl.settings import Settings, load

if TYPE_CHECKING:
    from rancherctl.cli.known_environments import KnownEnvironments
    from rancherctl.environments.model import Environment
    from rancherctl.hosts.connections import Connections

_flags: dict[str, Any] = {}


@dataclass(slots=True)
class RunState:
    """What ``app.main`` needs to know when a run fails: its log file and the steps that were begun and not finished."""

    log: Path | None = None
    unlogged: bool = False
    """The log file could not be opened, and that was said."""
    open_steps: dict[str, Event] = field(default_factory=dict)
    paused: Callable[[], AbstractContextManager[object]] = nullcontext
    """Holds the progress view while a question stands on the terminal."""

    def hold(self) -> AbstractContextManager[object]:
        """Keep whatever view there is now off the terminal."""
        return self.paused()

    def note(self, event: Event) -> None:
        """Remember begun steps, forget finished ones."""
        if event.state == "started":
            self.open_steps[event.subject] = event
        elif event.state in ("done", "failed"):
            self.open_steps.pop(event.subject, None)


state = RunState()


def remember(flags: Mapping[str, Any]) -> None:
    """Keep the global flags of this run; called by the root before any command."""
    _flags.clear()
    _flags.update(flags)


@dataclass(frozen=True, slots=True)
class Look:
    """How failures are shown."""

    debug: bool
    color: bool


def look() -> Look:
    """As far as known: the settings themselves may be what is wrong."""
    try:
        settings = load(_flags)
    except RancherctlError:
        return Look("--debug" in sys.argv, color=False)
    return Look(settings.debug or "--debug" in sys.argv, settings.stderr_color)


@dataclass(frozen=True, slots=True)
class CommandRun:
    """One run of a command: its settings and ways to show things."""

    settings: Settings

    def known(self) -> KnownEnvironments:
        """The operator's environments."""
        from rancherctl.cli.known_environments import KnownEnvironments

        return KnownEnvironments(self.settings.dirs)

    def kubeconfig_files(self) -> tuple[Path, ...]:
        """The kubeconfig files by precedence, as kubectl finds them."""
        from rancherctl.credentials.kubeconfig import paths

        return paths(
            self.settings.kubeconfig, {"KUBECONFIG": self.settings.kubeconfig_list, "HOME": str(self.settings.home)}
        )

    def environment(self, name: str | None = None) -> Environment:
        """The environment that is meant: ``name``, --env, RANCHERCTL_ENV, `env use`, or the only one."""
        known = self.known()
        return known.read(known.select(name or self.settings.env))

    @contextmanager
    def connections(self) -> Iterator[Connections]:
        """The ssh connections of this run, closed at the end; questions go to the terminal."""
        from rancherctl.cli.prompts import prompts
        from rancherctl.hosts.connections import Connections

        with Connections(prompts(self.settings, state.hold, self.say)) as connections:
            yield connections

    def log(self, text: str) -> None:
        """Put a text of many lines into the run's log file alone."""
        from rancherctl.cli.runlog import logger

        logger().info("%s", text)

    def show(self, result: Any, *, default: str = "table", fail: bool = True) -> None:
        """Print a result (output.results) in the format asked for; PartialError after it when a part is missing (not without ``fail``)."""
        from rancherctl.output.render import render
        from rancherctl.output.results import Listing

        form = self.settings.output or default
        text = render(result, form)
        out(text)
        if isinstance(result, Listing) and not result.items and not result.failures and form in ("table", "wide"):
            self.say(result.empty or f"no {result.kind.lower()} found")
        if result.failures and fail:
            failures = {failure.where: failure.what for failure in result.failures}
            raise PartialError(f"{', '.join(sorted(failures))} {result.trouble}", failures, hint=result.hint)

    def say(self, text: str) -> None:
        """A line for the person at the terminal, on standard error."""
        from rancherctl.output.tables import visible

        sys.stderr.write("".join(f"{visible(line)}\n" for line in text.splitlines()))

    def next(self, *commands: str) -> None:
        """Hints after success; people only."""
        if self.settings.output in ("", "table", "wide") and self.settings.progress != "none":
            self.say("\n".join(f"next: {command}" for command in commands))

    @contextmanager
    def progress(self) -> Iterator[Emit]:
        """Show events on standard error while the block runs, and log them."""
        from rancherctl.cli.runlog import logger
        from rancherctl.output.progress import progress

        log = logger()
        look = self.settings
        with progress(look.progress, sys.stderr, live=look.live, debug=look.debug, color=look.stderr_color) as shown:

            def emit(event: Event) -> None:
                state.note(event)
                log.info("%s %s %s %s", event.subject or "-", event.phase, event.state, event.message)
                with suppress(
                    OSError
                ):  # nobody reads it any more, and locks are to be released all the same; the log has it
                    shown.emit(event)

            state.paused = shown.paused
            try:
                yield emit
            finally:
                state.paused = nullcontext

    def confirm_name(self, what: str, name: str, given: str | None) -> None:
        """Destroying asks to type the name; scripts give ``--confirm NAME``."""
        if given is None and self.settings.interactive:
            given = input_line(f"{what} To go on type its name ({name}): ").strip()
        if given is None:
            raise UsageError(f"not confirmed: {what}", why="there is nobody to ask", hint=f"add --confirm {name}")
        if given != name:
            raise UsageError(f"not confirmed: {what}", why=f"{given!r} is not {name!r}", hint="nothing was changed")


def input_line(prompt: str) -> str:
    """One line from the terminal, the prompt on standard error (standard output is data)."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise UsageError("no answer: the input ended", hint="add --confirm NAME")
    return line


def current(*, env: str | None = None, output: str | None = None) -> CommandRun:
    """The run with a command's own shared options merged in; opens the log file the first time."""
    settings = load({**_flags, "env": env, "output": output})
    if state.log is None and not state.unlogged:
        from rancherctl.cli import runlog

        folder = settings.dirs.state / "log"
        try:
            state.log = runlog.start(folder, [word for word in sys.argv[1:] if not word.startswith("-")])
        except OSError as error:
            state.unlogged = True
            runlog.discard()
            CommandRun(settings).say(f"warning: this run has no log file: {folder}: {error.strerror or error}")
    return CommandRun(settings)
