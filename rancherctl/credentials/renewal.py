"""Renews tokens: through the API with the session's refresh token, else over ssh; once for any number of callers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rancherctl import bound_tokens, children
from rancherctl.bound_tokens import Token
from rancherctl.credentials import api, tokens
from rancherctl.credentials.locks import locked
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.store import SecretStore
from rancherctl.credentials.token_cache import boot_now, cached
from rancherctl.credentials.token_cache_writer import cache_content, cached_document, write_content, write_token
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, TimeoutExceededError, UnreachableError
from rancherctl.proxy.choice import Proxy
from rancherctl.secret import Secret
from rancherctl.settings import write_hint
from rancherctl.text import last_line

LOCK_SECONDS = 60.0
SSH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """Renewal of tokens; ``wall`` returns seconds since 1970."""

    registry: Registry
    store: SecretStore
    tokens: Path
    wall: Callable[[], float] = time.time
    exec_info: str = ""
    """KUBERNETES_EXEC_INFO of kubectl, whose cluster says which proxy leads to the API."""

    def token_file(self, name: str) -> Path:
        """Path of an environment's cached token."""
        return self.tokens / name

    def document(self, name: str, *, force: bool = False) -> str:
        """An ExecCredential document with a valid token.

        ``force`` requests a new one even if the cached one is valid.
        """
        path = self.token_file(name)
        before, fresh = cached(str(path), self.wall(), boot_now())
        if before and fresh and not force:
            return before
        access = self.registry.load(name)
        try:
            # A caller with a valid token does not wait for another process that renews it.
            with self._lock(path.with_name(f"{name}.lock"), 0.0 if before and not force else LOCK_SECONDS):
                now, fresh = cached(str(path), self.wall(), boot_now())
                if now and fresh and (not force or now != before):
                    return now
                content = cache_content(self._new(access), self.wall(), boot_now())
                with self._warn_only(f"cannot write {path}, so every call renews the token"):
                    write_content(path, content)
                return cached_document(content)
        except TimeoutExceededError:
            if before:
                return before
            raise
        except RancherctlError:
            if before and not force:
                return before
            raise

    def replaced(self, name: str) -> str:
        """A new document instead of the cached one, which the API refused.

        If none can be had, the cached one with a warning: the refusal may have been a single server's.
        """
        path = self.token_file(name)
        before, _ = cached(str(path), self.wall(), boot_now())
        try:
            return self.document(name, force=True)
        except RancherctlError as e:
            if not before:
                raise
            with self._warn_only(f"cannot use {path}"):
                os.utime(path)  # the next attempt comes after a pause, like after a renewal
            hint = f"; {e.hint}" if e.hint else ""
            self.store.warn(f"the API refused the cached token, and renewing it failed: {e}{hint}")
            return before

    @contextlib.contextmanager
    def _lock(self, path: Path, seconds: float) -> Iterator[None]:
        """Hold the lock; continue without it if its file cannot be created: two renewals are better than none."""
        with contextlib.ExitStack() as stack:
            with self._warn_only(f"cannot use {path}"):
                stack.enter_context(locked(path, seconds))
            yield

    @contextlib.contextmanager
    def _warn_only(self, what: str) -> Iterator[None]:
        """Errors of the disk become warnings: they must not withhold a valid token."""
        try:
            yield
        except TimeoutExceededError:
            raise
        except (OSError, RancherctlError) as e:
            hint = write_hint(os.fsdecode(e.filename or ""), os.environ) if isinstance(e, OSError) else ""
            why = f"{e.strerror or e if isinstance(e, OSError) else e}"
            self.store.warn(f"{what}: {why}" + (f"; {hint}" if hint else ""))

    def accept(self, access: Access, issued: Issued) -> None:
        """Store the tokens that a control-plane host issued at sign-in."""
        if issued.refresh:
            self.store.put(secret_key(access.name), issued.refresh)
        write_token(self.token_file(access.name), issued.token, self.wall())

    def forget(self, name: str) -> None:
        """Remove the cached token and the refresh token from this machine."""
        for path in (self.token_file(name), Path(f"{self.token_file(name)}.callers")):
            path.unlink(missing_ok=True)
        self.store.delete(secret_key(name))

    def revoke(self, name: str) -> None:
        """End this machine's session in the environment, then remove its tokens.

        A session that has already ended is not an error.
        """
        access = self.registry.load(name)
        token = Secret(json.loads(self.document(name))["status"]["token"])
        try:
            path = tokens.session_path(access.operator, access.session)
            api.call("DELETE", access.server, path, ca=access.ca, token=token, proxy=self._proxy(access))
        except NotFoundError:
            pass  # the session has already ended; its tokens on this machine remain to be removed
        except (AuthError, UnreachableError):
            self._over_ssh(access, "--revoke")
        self.forget(name)

    def _new(self, access: Access) -> Token:
        problems = []
        try:
            refresh = self.store.get(secret_key(access.name))
            if refresh is None:
                problems.append("no refresh token on this machine")
            else:
                secret = tokens.session_secret(access.operator, access.session)
                path, body = tokens.token_request(access.operator, tokens.TOKEN_SECONDS, secret, access.session_uid)
                proxy = self._proxy(access)
                answer = api.call("POST", access.server, path, ca=access.ca, token=refresh, body=body, proxy=proxy)
                return bound_tokens.parse(answer, self.wall())
        except (RancherctlError, ValueError) as e:
            hint = getattr(e, "hint", "")
            problems.append(f"{e} ({hint})" if hint else str(e))
        try:
            issued = parse_issued(self._over_ssh(access), self.wall())
        except (RancherctlError, ValueError) as e:
            problems.append(str(e))
            raise AuthError(
                f"no token for environment {access.name}",
                why="; ".join(problems),
                hint="sign in again: rancherctl env fetch USER@HOST",
            ) from e
        if issued.refresh:
            with self._warn_only("cannot store the refresh token"):
                self.store.put(secret_key(access.name), issued.refresh)
        if issued.session_uid and issued.session_uid != access.session_uid:
            # The session had ended and the host started another: the API would reject every renewal with the old uid.
            with self._warn_only("cannot store the new session"):
                self.registry.save(replace(access, session_uid=issued.session_uid))
        return issued.token

    def _proxy(self, access: Access) -> Proxy | None:
        """The proxy that kubectl uses for this cluster, else the environment's own."""
        cluster = exec_cluster(self.exec_info)
        if cluster.get("server") == access.server:
            access = replace(access, proxy=str(cluster.get("proxy-url") or ""))
        return access.proxy_for(access.server, os.environ)

    def _over_ssh(self, access: Access, *more: str) -> bytes:
        why = "no control-plane host is known"
        for argv in access.issue:
            try:
                done = children.run([*plain_session(argv), *more], stderr=subprocess.PIPE, timeout=SSH_SECONDS)
            except (OSError, subprocess.TimeoutExpired) as e:
                why = str(e)[:200]
                continue
            if done.returncode == 0:
                return done.stdout
            why = last_line(done.stderr, f"exit status {done.returncode}")
        raise UnreachableError("cannot get a token over ssh from a control-plane host", why=why)


def exec_cluster(info: str) -> dict[str, Any]:
    """The cluster in KUBERNETES_EXEC_INFO; {} if there is none."""
    try:
        found = json.loads(info)["spec"]["cluster"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def plain_session(argv: Sequence[str]) -> list[str]:
    """An OpenSSH command line without the RemoteCommand and terminal of the user's configuration.

    ssh refuses a command beside a RemoteCommand. Added here, so that it holds for stored command lines, too.
    """
    options = ["-o", "RemoteCommand=none", "-o", "RequestTTY=no"] if Path(argv[0]).name == "ssh" else []
    return [argv[0], *options, *argv[1:]]


@dataclass(frozen=True, slots=True)
class Issued:
    """What a control-plane host issues at sign-in."""

    token: Token
    refresh: Secret | None
    session_uid: str = ""


def parse_issued(answer: bytes, wall: float) -> Issued:
    """Parse the JSON that ``operator-token`` prints on a host: ``token`` and ``refresh`` are TokenRequest answers.

    The last line counts, from its first brace, because a login shell may print a greeting first. ValueError for
    anything else.
    """
    line = (answer.rstrip().splitlines() or [b""])[-1]
    data = json.loads(line[max(line.find(b"{"), 0) :])
    if not isinstance(data, dict) or "token" not in data:
        raise ValueError("the host's answer has no token")
    refresh = bound_tokens.parse(data["refresh"], wall).value if data.get("refresh") else None
    return Issued(bound_tokens.parse(data["token"], wall), refresh, str(data.get("session_uid", "")))


def secret_key(name: str) -> str:
    """Key of an environment's refresh token in the secret store."""
    return f"refresh/{name}"
