"""The environments that this operator knows: a copy of each one's file, the chosen one, and the names that completion offers.

Files lie under the XDG config folder, 0600, replaced atomically. They are a convenience: the environment's own API has the applied file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rancherctl.credentials.registry import NAME, checked_name
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError
from rancherctl.files import replace as replace_file
from rancherctl.settings import Dirs, Settings

if TYPE_CHECKING:
    from rancherctl.environments.model import Environment

_SHOWN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class Known:
    """The operator's environments below ``dirs``."""

    dirs: Dirs

    def file(self, name: str) -> Path:
        """Where the copy of an environment's file is; UsageError for what cannot be a name."""
        return self.dirs.config / "environments" / f"{checked_name(name)}.yaml"

    def names(self) -> list[str]:
        """All known names, sorted."""
        return sorted(
            path.stem for path in (self.dirs.config / "environments").glob("*.yaml") if NAME.fullmatch(path.stem)
        )

    def read(self, name: str) -> Environment:
        """The environment of that name; NotFoundError with what is near, InvalidInputError for a file that cannot be used."""
        from rancherctl.environments.inventory import load

        path = self.file(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise self._unknown(name) from error
        except (OSError, UnicodeDecodeError) as error:
            why = (
                (error.strerror or str(error))
                if isinstance(error, OSError)
                else f"it is no text in UTF-8 ({error.reason} at byte {error.start})"
            )
            hint = "put the file right, or remove it and get it back: rancherctl env fetch USER@HOST"
            raise InvalidInputError(
                f"the file of environment {name} cannot be read", [f"{path}: {why}"], hint=hint
            ) from error
        return load(text, str(path)).environment

    def other(self, environment: Environment) -> Environment | None:
        """The known environment that has this name and is another one: no control-plane host in common. None where the file cannot be read."""
        try:
            known = self.read(environment.name)
        except (InvalidInputError, NotFoundError):
            return None
        mine, theirs = ({host.address for host in e.with_role("controlplane")} for e in (environment, known))
        return None if mine & theirs else known

    def save(self, environment: Environment, bundle: str = "") -> Path:
        """Remember an environment and the bundle chosen for it ("" = keep what was chosen); its file."""
        from rancherctl.environments.dump import dump

        if bundle:
            _written(self.file(environment.name).with_suffix(".bundle"), f"{bundle}\n")
        return _written(self.file(environment.name), dump(environment))

    def bundle(self, name: str) -> str:
        """The bundle that was last chosen for an environment, "" if none was."""
        path = self.file(name).with_suffix(".bundle")
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    def put_aside(self, environment: Environment) -> Path:
        """Keep the file of an environment that is forgotten although hosts may still run it; where it is."""
        from rancherctl.environments.dump import dump

        return _written(self.dirs.state / "removed" / f"{checked_name(environment.name)}.yaml", dump(environment))

    def forget(self, name: str) -> None:
        """Remove the copy; and the choice, if it was this one."""
        self.file(name).unlink(missing_ok=True)
        self.file(name).with_suffix(".bundle").unlink(missing_ok=True)
        if self.chosen() == name:
            self._choice.unlink(missing_ok=True)

    @property
    def _choice(self) -> Path:
        return self.dirs.config / "current"

    def chosen(self) -> str:
        """The name that ``env use`` wrote, "" if there is none."""
        return self._choice.read_text(encoding="utf-8").strip() if self._choice.is_file() else ""

    def choose(self, name: str) -> None:
        """Make ``name`` the default; NotFoundError if it is not known."""
        if name not in self.names():
            raise self._unknown(name)
        _written(self._choice, f"{name}\n")

    def select(self, asked: str) -> str:
        """The environment a command means: ``asked`` (flag or variable), the chosen one, or the only one."""
        names = self.names()
        if asked:
            if asked not in names:
                raise self._unknown(asked)
            return asked
        chosen = self.chosen()
        if chosen in names:
            return chosen
        if len(names) == 1:
            return names[0]
        if not names:
            raise NotFoundError(
                "no environment is known here",
                hint="rancherctl env create NAME --host …, or rancherctl env fetch USER@HOST",
            )
        raise UsageError(
            "which environment?",
            why=f"known are {', '.join(names)}",
            hint="say its name, set RANCHERCTL_ENV, or rancherctl env use NAME",
        )

    def _unknown(self, name: str) -> NotFoundError:
        near = difflib.get_close_matches(name, self.names(), 1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else "rancherctl env ls lists them; rancherctl env fetch USER@HOST gets one from its hosts"
        )
        return NotFoundError(f"no environment {name!r} is known here", hint=hint)


def _written(path: Path, text: str) -> Path:
    replace_file(path, text.encode())
    return path


def remember_names(settings: Settings, kind: str, names: Iterable[str]) -> None:
    """Put names where the completion scripts look; names that a shell could misread are left out. A cache that cannot be written is no failure."""
    from rancherctl.cli.runlog import logger

    lines = sorted({name for name in names if _SHOWN.fullmatch(name)})
    try:
        _written(settings.dirs.cache / "names" / kind, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        logger().warning("names for completion: %s", error)


def remember_environments(settings: Settings) -> None:
    """Refresh the names of environments and of their hosts."""
    known = Known(settings.dirs)
    hosts: set[str] = set()
    for name in known.names():
        try:
            hosts |= {host.name for host in known.read(name).hosts}
        except (InvalidInputError, NotFoundError):
            continue  # edited by hand (`env` commands on it tell what is wrong), or removed by another run just now
    remember_names(settings, "environments", known.names())
    remember_names(settings, "hosts", hosts)
