"""How to access the environments known on this machine: server, CA, session, ssh commands.

One 0600 JSON file each, no secrets.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rancherctl.errors import NotFoundError, RancherctlError, UsageError
from rancherctl.files import replace as replace_file
from rancherctl.names import is_dns_label
from rancherctl.proxy.choice import Proxy, proxy_for

SUFFIX = ".access.json"


@dataclass(frozen=True, slots=True)
class Access:
    """How this machine accesses one environment.

    ``ca`` is PEM text. ``operator``, ``session`` and ``session_uid`` identify the ServiceAccount and the Secret that
    tokens are bound to. ``issue`` are ssh commands that print new tokens as JSON, one per control-plane host, for
    when the API rejects the refresh token. ``tunnels`` are ssh commands to control-plane hosts, ``targets`` the API's
    address as seen from each.
    """

    name: str
    server: str
    ca: str
    operator: str
    session: str
    session_uid: str = ""
    uid: str = ""
    """Distinguishes environments of the same name: the uid of the kube-system namespace."""
    context: str = ""
    issue: tuple[tuple[str, ...], ...] = ()
    tunnels: tuple[tuple[str, ...], ...] = ()
    targets: tuple[str, ...] = ()
    proxy: str = ""
    """URL of the proxy on the way to the server, "" for what HTTPS_PROXY and NO_PROXY say."""

    def proxy_for(self, url: str, environ: Mapping[str, str]) -> Proxy | None:
        """The proxy on the way to an address of the API; UsageError for a value that is not the URL of a proxy."""
        return proxy_for(url, self.proxy, environ, proxy_origin(self.name))


@dataclass(frozen=True, slots=True)
class Registry:
    """The files below one folder (the XDG config folder's ``environments``)."""

    folder: Path

    def path(self, name: str) -> Path:
        """The file of an environment; UsageError for an invalid name."""
        return self.folder / f"{checked_name(name)}{SUFFIX}"

    def names(self) -> tuple[str, ...]:
        """All names, sorted. RancherctlError if the folder cannot be read."""
        return tuple(
            sorted(
                name.removesuffix(SUFFIX)
                for name in folder_names(self.folder)
                if name.endswith(SUFFIX) and is_dns_label(name.removesuffix(SUFFIX))
            )
        )

    def load(self, name: str) -> Access:
        """One environment. NotFoundError if it is unknown; RancherctlError for an unreadable file."""
        path = self.path(name)
        try:
            data = json.loads(path.read_bytes())
            return parse(name, data)
        except FileNotFoundError:
            known = f"this machine is signed in to: {', '.join(self.names())}" if self.names() else ""
            hint = "sign in at one of its control-plane hosts: rancherctl env fetch USER@HOST"
            raise NotFoundError(
                f"no credentials for environment {name!r} on this machine", why=known, hint=hint
            ) from None
        except (OSError, ValueError, TypeError, AttributeError) as e:
            raise RancherctlError(
                f"cannot read {path}", why=str(e), hint="rancherctl env fetch USER@HOST writes it again"
            ) from e

    def save(self, access: Access) -> None:
        """Write atomically; fields of newer releases are kept."""
        path = self.path(access.name)
        try:
            old = json.loads(path.read_bytes())
        except (OSError, ValueError):
            old = {}
        data = {**(old if isinstance(old, dict) else {}), "version": 1, **asdict(access)}
        replace_file(path, json.dumps(data, indent=1).encode() + b"\n")

    def forget(self, name: str) -> None:
        """Remove an environment, if it is known."""
        self.path(name).unlink(missing_ok=True)


def proxy_origin(name: str) -> str:
    """Where the proxy of an environment is set, for messages."""
    return f"proxy-url of environment {name}, set by kubeconfig merge --proxy-url"


def folder_names(folder: Path) -> list[str]:
    """Names of the files in a folder of the user; a missing folder has none. RancherctlError if it cannot be read."""
    try:
        return [path.name for path in folder.iterdir()]  # glob takes a folder that it may not read for an empty one
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        raise RancherctlError(
            f"cannot read {folder}",
            why=e.strerror or str(e),
            hint=f'if another user owns it, take ownership: sudo chown -R "$USER" {shlex.quote(str(folder.parent))}',
        ) from e


def checked_name(name: str) -> str:
    """``name``, or UsageError if it is not a valid name: it becomes part of paths."""
    if not is_dns_label(name):
        why = "a name has 1 to 63 characters a-z, 0-9 and -, and starts and ends with a letter or digit"
        raise UsageError(
            f"{name!r} is not a valid name of an environment",
            why=why,
            hint="rancherctl env ls lists known environments",
        )
    return name


def parse(name: str, data: Mapping[str, Any]) -> Access:
    """Parse a file of any release: missing and unknown fields are accepted; ValueError without a server."""
    keys = ("server", "ca", "operator", "session", "session_uid", "uid", "context", "proxy")
    text = {k: str(data.get(k) or "") for k in keys}
    if not text["server"]:
        raise ValueError("server is missing")
    issue, tunnels = (tuple(_login(argv) for argv in data.get(k) or ()) for k in ("issue", "tunnels"))
    return Access(
        name=name, **text, issue=issue, tunnels=tunnels, targets=tuple(str(t) for t in data.get("targets") or ())
    )


def _login(argv: Iterable[object]) -> tuple[str, ...]:
    """A stored ssh command line. Releases before 0.2 forced StrictHostKeyChecking; the configuration counts."""
    words = [str(word) for word in argv]
    forced = [index for index in range(len(words)) if words[index : index + 2] == ["-o", "StrictHostKeyChecking=yes"]]
    for index in reversed(forced):
        del words[index : index + 2]
    return tuple(words)
