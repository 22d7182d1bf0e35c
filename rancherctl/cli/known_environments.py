"""The environments known on this machine: a copy of each one's file, the last bundle, and the default environment.

Files are below the XDG config folder, 0600, replaced atomically. They are a convenience: the environment's own API
holds the applied file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rancherctl.credentials.registry import checked_name, folder_names
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError
from rancherctl.files import replace as replace_file
from rancherctl.names import is_dns_label
from rancherctl.settings import Dirs
from rancherctl.text import did_you_mean

if TYPE_CHECKING:
    from rancherctl.environments.model import Environment


@dataclass(frozen=True, slots=True)
class KnownEnvironments:
    """The operator's environments below ``dirs``."""

    dirs: Dirs

    def file(self, name: str) -> Path:
        """Path of the copy of an environment's file; UsageError for an invalid name."""
        return self.dirs.config / "environments" / f"{checked_name(name)}.yaml"

    def names(self) -> list[str]:
        """All known names, sorted. RancherctlError if the folder cannot be read: unknown is not none."""
        return sorted(
            name.removesuffix(".yaml")
            for name in folder_names(self.dirs.config / "environments")
            if name.endswith(".yaml") and is_dns_label(name.removesuffix(".yaml"))
        )

    def read(self, name: str) -> Environment:
        """The environment of that name; NotFoundError with a suggestion, InvalidInputError for an unusable file."""
        from rancherctl.environments.inventory import load

        path = self.file(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise self._unknown(name) from error
        except OSError as error:
            raise _unreadable(name, path, error.strerror or str(error)) from error
        except UnicodeDecodeError as error:
            raise _unreadable(name, path, f"not valid UTF-8 ({error.reason} at byte {error.start})") from error
        return load(text, str(path)).environment

    def find(self, name: str) -> Environment | None:
        """The environment of that name, None if it is unknown or its file is unusable."""
        try:
            return self.read(name)
        except (InvalidInputError, NotFoundError):
            return None

    def other(self, environment: Environment) -> Environment | None:
        """A different known environment of the same name: no control-plane host in common.

        None also if its file is unreadable.
        """
        if (known := self.find(environment.name)) is None:
            return None
        mine, theirs = ({host.address for host in e.with_role("controlplane")} for e in (environment, known))
        return None if mine & theirs else known

    def save(self, environment: Environment, bundle: str = "") -> Path:
        """Store an environment's file, and the bundle chosen for it ("" keeps the present choice).

        Returns the file's path.
        """
        from rancherctl.environments.dump import dump

        if bundle:
            _write(self.file(environment.name).with_suffix(".bundle"), f"{bundle}\n")
        return _write(self.file(environment.name), dump(environment))

    def bundle(self, name: str) -> str:
        """The bundle that an environment was last applied with, "" if none."""
        path = self.file(name).with_suffix(".bundle")
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    def archive(self, environment: Environment) -> Path:
        """Keep the file of an environment that is forgotten while hosts may still run it; returns its path."""
        from rancherctl.environments.dump import dump

        return _write(self.dirs.state / "removed" / f"{checked_name(environment.name)}.yaml", dump(environment))

    def forget(self, name: str) -> None:
        """Remove the copy, and the default if it was this environment."""
        self.file(name).unlink(missing_ok=True)
        self.file(name).with_suffix(".bundle").unlink(missing_ok=True)
        if self.default() == name:
            self._default_file.unlink(missing_ok=True)

    @property
    def _default_file(self) -> Path:
        return self.dirs.config / "current"

    def default(self) -> str:
        """The name that ``env use`` stored, "" if none."""
        return self._default_file.read_text(encoding="utf-8").strip() if self._default_file.is_file() else ""

    def set_default(self, name: str) -> None:
        """Make ``name`` the default; NotFoundError if it is unknown."""
        if name not in self.names():
            raise self._unknown(name)
        _write(self._default_file, f"{name}\n")

    def select(self, requested: str) -> str:
        """The environment of a command: ``requested`` (flag or variable), else the default, else the only one."""
        names = self.names()
        if requested:
            if requested not in names:
                raise self._unknown(requested)
            return requested
        default = self.default()
        if default in names:
            return default
        if len(names) == 1:
            return names[0]
        if not names:
            raise NotFoundError(
                "no environments found on this machine",
                hint="create one: rancherctl env create NAME --host …; or restore one: rancherctl env fetch USER@HOST",
            )
        raise UsageError(
            "no environment selected",
            why=f"known environments: {', '.join(names)}",
            hint="name one, set RANCHERCTL_ENV, or set a default: rancherctl env use NAME",
        )

    def _unknown(self, name: str) -> NotFoundError:
        lookup = (
            "rancherctl env ls lists known environments; rancherctl env fetch USER@HOST restores one from its hosts"
        )
        hint = did_you_mean(name, self.names()) or lookup
        return NotFoundError(f"environment {name!r} not found on this machine", hint=hint)


def _unreadable(name: str, path: Path, why: str) -> InvalidInputError:
    hint = "correct the file, or remove it and restore it: rancherctl env fetch USER@HOST"
    return InvalidInputError(f"cannot read the file of environment {name}", [f"{path}: {why}"], hint=hint)


def _write(path: Path, text: str) -> Path:
    replace_file(path, text.encode())
    return path
