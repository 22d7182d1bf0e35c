"""Runs the exec-credential plug-in of a kubeconfig user (client.authentication.k8s.io/v1, v1beta1).

Trusted files only.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rancherctl import children
from rancherctl.credentials import program
from rancherctl.credentials.kubeconfig import Target
from rancherctl.credentials.user_stores import user_registry
from rancherctl.errors import AuthError, RancherctlError, RefusedError
from rancherctl.secret import Secret
from rancherctl.settings import dirs

SECONDS = 60.0
EARLY = 10.0
"""Seconds before its expiry at which a credential is renewed."""
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

_OTHER = "use a plug-in that supports one of them, or another user in the kubeconfig file"
_BY_HAND = "run the plug-in by hand to see its messages"


@dataclass(frozen=True, slots=True)
class Credential:
    """``expires`` in seconds since 1970; None = valid for the lifetime of this process."""

    token: Secret
    cert: bytes = b""
    key: bytes = field(default=b"", repr=False)
    expires: float | None = None


class Plugin:
    """Runs a plug-in if its credential is missing or about to expire. Thread-safe.

    RefusedError unless ``trusted(source)``.
    """

    def __init__(
        self,
        target: Target,
        trusted: Callable[[Path], bool],
        *,
        interactive: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        assert target.exec
        self._exec, self._target = target.exec, target
        self._trusted, self._interactive, self._wall = trusted, interactive, wall
        self._lock = threading.Lock()
        self._kept: Credential | None = None

    def credential(self) -> Credential:
        """A valid credential. AuthError quotes the plug-in's problem."""
        with self._lock:
            kept = self._kept
            if kept is None or (kept.expires is not None and kept.expires - EARLY <= self._wall()):
                kept = self._kept = self._run()
            return kept

    def __call__(self) -> str:
        """The bearer token, "" if the plug-in returns certificates only."""
        return str(self.credential().token)

    def renew(self, refused: str) -> bool:
        """Run the plug-in again if ``refused`` is its present token; whether the token is another one now."""
        with self._lock:
            if self._kept is not None and str(self._kept.token) == refused:
                self._kept = None
        return bool(refused) and self() != refused

    def _run(self) -> Credential:
        plugin, what = self._exec, f"{self._exec.source}: the credential plug-in {self._exec.command}"
        if plugin.api_version not in VERSIONS:
            raise AuthError(
                f"{what} is not supported",
                why=f"its apiVersion is {plugin.api_version or 'missing'}; supported: {', '.join(VERSIONS)}",
                hint=_OTHER,
            )
        if not self._trusted(plugin.source) and not is_own_plugin(self._target):
            raise RefusedError(
                f"{what} was not run",
                why="other users can write the file, or it is not one of your kubeconfig files",
                hint="check what the file would run, then allow it for this run with --allow-exec",
            )
        if plugin.interactive == "Always" and not self._interactive:
            raise AuthError(
                f"{what} needs a terminal",
                why="its interactiveMode is Always",
                hint="run the command on a terminal, without --no-input and CI",
            )
        info = json.dumps(self._info(), default=str)
        environ = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": info}
        stdin = None if self._interactive and plugin.interactive != "Never" else subprocess.DEVNULL
        try:
            done = children.run([plugin.command, *plugin.args], env=environ, stdin=stdin, timeout=SECONDS)
        except FileNotFoundError as e:
            raise AuthError(
                f"{what} is not installed", hint=plugin.install_hint.splitlines()[0] if plugin.install_hint else ""
            ) from e
        except (OSError, subprocess.TimeoutExpired) as e:
            raise AuthError(f"{what} failed", why=str(e)[:200], hint=_BY_HAND) from e
        if done.returncode:
            raise AuthError(
                f"{what} failed", why=f"exit status {done.returncode}; see its message above", hint=_BY_HAND
            )
        return parse(done.stdout, plugin.api_version, what)

    def _info(self) -> dict[str, Any]:
        target = self._target
        cluster: dict[str, Any] = {"server": target.server}
        if target.insecure:
            cluster["insecure-skip-tls-verify"] = True
        if target.server_name:
            cluster["tls-server-name"] = target.server_name
        if target.proxy:
            cluster["proxy-url"] = target.proxy
        if self._exec.config is not None:
            cluster["config"] = self._exec.config
        if ca := _bytes(target.ca):
            cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
        spec: dict[str, Any] = {"interactive": self._interactive} | (
            {"cluster": cluster} if self._exec.provide_cluster_info else {}
        )
        return {"apiVersion": self._exec.api_version, "kind": "ExecCredential", "spec": spec}


def _bytes(ca: Path | bytes | None) -> bytes:
    if not isinstance(ca, Path):
        return ca or b""
    try:
        return ca.read_bytes()
    except OSError as e:
        raise AuthError(f"cannot read the certificate authority {ca}", why=e.strerror or str(e)) from e


def is_own_plugin(target: Target) -> bool:
    """Whether the plug-in is rancherctl's own and its token goes to the API it is for.

    Safe, no matter who wrote the file.

    A plain name is looked up on PATH; a path must be that of this installation's program. With variables any program
    could run another one, with other arguments a session would end, and another server would receive the user's
    token.
    """
    plugin = target.exec
    if (
        plugin is None
        or plugin.env
        or not (plugin.command == program.NAME or Path(plugin.command) in program.candidates())
    ):
        return False
    if len(plugin.args) != 2 or plugin.args[0] != "--env":
        return False
    try:
        access = user_registry(dirs(os.environ)).load(plugin.args[1])
    except RancherctlError:  # unknown or damaged: whether the API is its own cannot be verified
        return False
    requested = (target.server, target.ca, target.server_name, target.insecure, target.proxy)
    return bool(access.ca) and requested == (access.server, access.ca.encode(), "", False, "")


def parse(output: bytes, version: str, what: str) -> Credential:
    """The credential in a plug-in's output; AuthError if it is invalid."""
    try:
        data = json.loads(output)
        status = data.get("status") or {}
        until = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(str(until).replace("Z", "+00:00")).timestamp() if until else None
    except (ValueError, AttributeError) as e:
        raise AuthError(f"{what} printed an invalid credential", why=str(e)[:200], hint=_BY_HAND) from e
    if data.get("kind") != "ExecCredential" or data.get("apiVersion") != version:
        raise AuthError(
            f"{what} printed an unexpected credential",
            why=f"{data.get('apiVersion')} {data.get('kind')} instead of {version}",
            hint=_BY_HAND,
        )
    token, cert, key = (str(status.get(k) or "") for k in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not (cert and key):
        raise AuthError(f"{what} printed neither a token nor a certificate with its key", hint=_BY_HAND)
    return Credential(Secret(token), cert.encode(), key.encode(), expires)
