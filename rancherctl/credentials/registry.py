"""How to get at the environments this machine knows: server, CA, session, and ssh ways. One 0600 JSON file each, no secret in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rancherctl.errors import NotFoundError, RancherctlError, UsageError
from rancherctl.files import replace as replace_file

SUFFIX = ".access.json"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Access:
    """One environment as seen from here.

    ``ca`` is PEM text. ``operator``, ``session`` and ``session_uid`` name the ServiceAccount and the Secret that tokens are bound to.
    ``issue`` are argv that print fresh tokens as JSON, run over ssh on a control-plane host each: the way back when the API does not take
    the refresh token. ``tunnels`` are argv prefixes of ssh to control-plane hosts, ``targets`` the API's address as seen from each.
    """

    name: str
    server: str
    ca: str
    operator: str
    session: str
    session_uid: str = ""
    uid: str = ""
    """What tells this environment from another of the same name: the uid of its kube-system namespace."""
    context: str = ""
    issue: tuple[tuple[str, ...], ...] = ()
    tunnels: tuple[tuple[str, ...], ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registry:
    """The files below one folder (the XDG config folder's ``environments``)."""

    folder: Path

    def path(self, name: str) -> Path:
        """The file of an environment; UsageError for what cannot be a name."""
        return self.folder / f"{checked_name(name)}{SUFFIX}"

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(
            sorted(n for p in self.folder.glob(f"*{SUFFIX}") if NAME.fullmatch(n := p.name.removesuffix(SUFFIX)))
        )

    def load(self, name: str) -> Access:
        """One environment. NotFoundError if it is not known here; RancherctlError for a file that cannot be read."""
        path = self.path(name)
        try:
            data = json.loads(path.read_bytes())
            return parse(name, data)
        except FileNotFoundError:
            others = f"; there are some for: {', '.join(self.names())}" if self.names() else ""
            hint = f"rancherctl env fetch USER@HOST signs in at one of its control-plane hosts{others}"
            raise NotFoundError(f"there are no credentials for environment {name!r} here", hint=hint) from None
        except (OSError, ValueError, TypeError, AttributeError) as e:
            raise RancherctlError(
                f"{path} cannot be read", why=str(e), hint=f"rancherctl env fetch writes it again for {name}"
            ) from e

    def save(self, access: Access) -> None:
        """Write atomically; fields that a newer version put there are kept."""
        path = self.path(access.name)
        try:
            old = json.loads(path.read_bytes())
        except (OSError, ValueError):
            old = {}
        data = {**(old if isinstance(old, dict) else {}), "version": 1, **asdict(access)}
        replace_file(path, json.dumps(data, indent=1).encode() + b"\n")

    def forget(self, name: str) -> None:
        """Remove one; nothing if it is not there."""
        self.path(name).unlink(missing_ok=True)


def checked_name(name: str) -> str:
    """``name`` as it is; UsageError for what cannot name an environment (it becomes a part of paths)."""
    if not NAME.fullmatch(name):
        why = "a name has a-z, 0-9 and -, begins and ends with a letter or digit, and has up to 63 characters"
        raise UsageError(
            f"{name!r} is no name of an environment", why=why, hint="rancherctl env ls lists those that are known here"
        )
    return name


def parse(name: str, data: Mapping[str, Any]) -> Access:
    """Tolerant of missing and unknown fields; ValueError without a server."""
    text = {k: str(data.get(k) or "") for k in ("server", "ca", "operator", "session", "session_uid", "uid", "context")}
    if not text["server"]:
        raise ValueError("it names no server")
    issue, tunnels = (tuple(tuple(str(w) for w in argv) for argv in data.get(k) or ()) for k in ("issue", "tunnels"))
    return Access(
        name=name, **text, issue=issue, tunnels=tunnels, targets=tuple(str(t) for t in data.get("targets") or ())
    )
