"""Log a user in over an open connection, with keys or a password, and say what the server asks for otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import paramiko

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.ssh.identities import Identities
from rancherctl.hosts.ssh.messages import line_of
from rancherctl.hosts.ssh_errors import FEWER_KEYS_HINT, KEY_HINT, LoginMethodError
from rancherctl.hosts.ssh_settings import SshSettings


class Authentication:
    """The login of one user to one host."""

    def __init__(self, settings: SshSettings, who: SudoLogin, prompts: Prompts) -> None:
        self._settings, self._who, self._prompts = settings, who, prompts
        self._identities = Identities(settings, prompts)

    def run(self, transport: paramiko.Transport, *, verified: bool) -> None:
        """Log in; without ``verified`` (a changed host key) no password is sent. AuthError, UnreachableError."""
        ask = self._prompts.password if verified else None
        user, tried, partial = self._settings.user, list[str](), False
        try:
            methods = _offered_methods(transport, user)
            if transport.is_authenticated():
                return
            if "publickey" in methods:
                rest = self._try_keys(transport, tried)
                if rest == ():
                    return
                partial, methods = rest is not None, rest or methods
            if partial or not tried:
                self._check_methods(methods, ask=ask is not None, partial=partial)
            if ask is not None and (secret := ask(str(self._who))) is not None:
                tried.append("password")
                if not transport.auth_password(user, str(secret)):
                    return
        except paramiko.AuthenticationException as error:
            raise self._denied(tried, line_of(error)) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if transport.is_active() or not tried:
                raise UnreachableError(f"{self._who.host}: the login did not finish", why=line_of(error)) from error
            raise self._denied(
                tried, f"the server closed the connection after {len(tried)} attempts", FEWER_KEYS_HINT
            ) from error
        raise self._denied(
            tried,
            f"the server accepts the key, and then asks for {', '.join(methods)}"
            if partial
            else "the server accepted none of them"
            if tried
            else "no key, agent or password is available",
        )

    def _try_keys(self, transport: paramiko.Transport, tried: list[str]) -> tuple[str, ...] | None:
        """The methods that the server asks for after it accepted a key: () = none; None if it accepted no key."""
        for what, key in self._identities.candidates():
            tried.append(what)
            try:
                return tuple(transport.auth_publickey(self._settings.user, key))
            except paramiko.BadAuthenticationType as error:
                if "publickey" not in error.allowed_types:
                    break
            except paramiko.AuthenticationException:
                continue
        return None

    def _check_methods(self, methods: Sequence[str], *, ask: bool, partial: bool) -> None:
        """Raise an error if the server asks for what this client does not have; the last attempt was not refused.

        LoginMethodError if OpenSSH may have it, AuthError if somebody would have to answer, and cannot. ``ask``:
        whether the user can be asked. ``partial``: a key was accepted, and the server asks for more.
        """
        others = [method for method in methods if method not in ("publickey", "password")]
        silent = [method for method in others if method.startswith(("gssapi", "hostbased"))]
        next_key = partial and "publickey" in methods
        offered = ", ".join(methods)
        why = f"the server accepts the key, and then asks for {offered}" if partial else f"the server offers {offered}"
        if next_key or (silent and self._settings.handover):
            raise self._beyond(why)
        if not others or ("publickey" in methods and not ask):
            return
        if not ask:
            raise AuthError(
                f"{self._who.host}: login as {self._settings.user} requires interactive answers",
                why=self._with_problems(why),
                hint="run the command on a terminal, or allow logins with a key in the server's sshd_config",
            )
        # one question of keyboard-interactive can be answered as a password; OpenSSH answers all of them
        if "password" not in methods and ("keyboard-interactive" not in methods or self._settings.handover):
            raise self._beyond(why)

    def _beyond(self, why: str) -> LoginMethodError:
        return LoginMethodError(
            f"{self._who.host}: login as {self._settings.user} is not possible with paramiko",
            why=self._with_problems(why),
            hint="allow logins with a key in the server's sshd_config",
        )

    def _denied(self, tried: list[str], why: str, hint: str = KEY_HINT) -> AuthError:
        keys = ", ".join(tried) or "nothing"
        return AuthError(
            f"{self._who.host}: login as {self._settings.user} refused (tried {keys})",
            why=self._with_problems(why),
            hint=hint,
        )

    def _with_problems(self, why: str) -> str:
        return "; ".join([why, *(f"{path} {what}" for path, what in self._identities.problems.items())])


def _offered_methods(transport: paramiko.Transport, user: str) -> tuple[str, ...]:
    """The login methods of the server; it may also accept the login without any, as OpenSSH tries, too."""
    try:
        return tuple(transport.auth_none(user))
    except paramiko.BadAuthenticationType as error:
        return tuple(error.allowed_types)
