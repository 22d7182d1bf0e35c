"""The operator's long-lived secrets: in the system's keyring if there is one, else in a 0600 file, with one warning."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rancherctl.credentials.locks import locked
from rancherctl.errors import RancherctlError
from rancherctl.files import replace as replace_file
from rancherctl.secret import Secret

KEYRING_SECONDS = 3.0
LOCK_SECONDS = 10.0
NO_KEYRING = "CI is set, or no D-Bus session is running"


class KeyringUnusableError(RancherctlError):
    """No keyring is installed, it is locked, or it did not answer in time."""


def keyring_possible(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether to try the keyring: never in CI.

    On Linux only with a D-Bus session or a backend that the user configured.
    """
    if environ.get("CI", "").lower() in ("true", "1", "yes"):
        return False
    if environ.get("PYTHON_KEYRING_BACKEND") or not platform.startswith("linux"):
        return True
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return bool(environ.get("DBUS_SESSION_BUS_ADDRESS")) or bool(runtime and (Path(runtime) / "bus").exists())


@dataclass(frozen=True, slots=True)
class Keyring:
    """The system's keyring, used through a helper process that is killed after ``seconds``."""

    seconds: float = KEYRING_SECONDS
    command: tuple[str, ...] = (sys.executable, "-P", "-m", "rancherctl.credentials.keyring_helper")
    """``-P``: do not import modules from the working directory."""

    def call(self, operation: str, key: str, value: str = "") -> Secret | None:
        """``get``, ``set`` or ``delete`` a secret. KeyringUnusableError gives the reason."""
        request = json.dumps({"key": key, "value": value}).encode()
        try:
            done = subprocess.run(
                [*self.command, operation], input=request, capture_output=True, timeout=self.seconds, check=False
            )
            answer: Any = (
                json.loads(done.stdout)
                if done.returncode == 0
                else {"unusable": f"the helper process exited with {done.returncode}"}
            )
        except subprocess.TimeoutExpired as e:
            raise KeyringUnusableError("the keyring does not answer", why=f"within {self.seconds:.0f} s") from e
        except (OSError, ValueError) as e:
            raise KeyringUnusableError("cannot access the keyring", why=str(e)) from e
        if "unusable" in answer:
            raise KeyringUnusableError("the keyring cannot be used", why=str(answer["unusable"]))
        found = answer.get("value")
        return None if found is None else Secret(found)


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Secrets by key. ``file`` records where each value is; ``keyring`` None = files only.

    ``warn`` prints a line for a person.
    """

    file: Path
    keyring: Keyring | None
    warn: Callable[[str], None]

    def get(self, key: str) -> Secret | None:
        """The secret, or None. KeyringUnusableError if it is in a keyring that cannot be used."""
        entry = self._read().get(key)
        if entry is None:
            return None
        if "value" in entry:
            return Secret(entry["value"])
        if self.keyring is None:
            raise KeyringUnusableError(
                f"the secret {key} is in the system's keyring, which is not available", why=NO_KEYRING
            )
        return self.keyring.call("get", key)

    def put(self, key: str, value: Secret, *, keyring_only: bool = False) -> None:
        """Store or replace a secret.

        With ``keyring_only``: KeyringUnusableError without a keyring, and nothing is stored.
        """
        entry: dict[str, str] = {"keyring": "yes"}
        if self.keyring is None:
            if keyring_only:
                raise KeyringUnusableError("no keyring is available", why=NO_KEYRING)
            entry = {"value": str(value)}
            self._warn_once(NO_KEYRING)
        else:
            try:
                self.keyring.call("set", key, str(value))
            except KeyringUnusableError as e:
                if keyring_only:
                    raise
                entry = {"value": str(value)}
                self._warn_once(e.why)
        with self._lock():
            self._write({**self._read(), key: entry})

    def delete(self, key: str) -> None:
        """Remove a secret, if it exists.

        A keyring that does not answer keeps an unreferenced value, which the caller revokes.
        """
        with self._lock():
            entries = self._read()
            entry = entries.pop(key, None)
            if entry is not None:
                self._write(entries)
        if entry is not None and "value" not in entry and self.keyring is not None:
            self.keyring.call("delete", key)

    def _warn_once(self, why: str) -> None:
        if not any("value" in entry for entry in self._read().values()):
            self.warn(f"storing secrets in {self.file} (0600) because no keyring is available: {why}")

    def _lock(self) -> Any:
        return locked(self.file.with_suffix(".lock"), LOCK_SECONDS)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            data = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as e:
            raise RancherctlError(
                f"cannot read {self.file}",
                why=str(e),
                hint="move it away and sign in again: rancherctl env fetch USER@HOST",
            ) from e
        entries = data.get("entries") if isinstance(data, dict) else None
        return {k: v for k, v in (entries or {}).items() if isinstance(v, dict)}

    def _write(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        replace_file(self.file, json.dumps({"version": 1, "entries": entries}, indent=1).encode() + b"\n")
