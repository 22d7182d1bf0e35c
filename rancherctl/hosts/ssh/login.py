"""Connect and log in: socket, host key check, user keys or password.

Host keys are always checked. Every wait has a limit; a server that drops connections before the login (MaxStartups) is
retried.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import paramiko

from rancherctl.errors import AuthError, UnreachableError, UsageError
from rancherctl.hosts import host_keys
from rancherctl.hosts.host_keys import AcceptedKeys, HostKeyRules
from rancherctl.hosts.known_hosts import KnownHostsLine, check_key
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.ssh.client import SshClient
from rancherctl.hosts.ssh.host_certificates import check_certificate
from rancherctl.hosts.ssh.identities import Identities
from rancherctl.hosts.ssh.keepalive import keep_alive
from rancherctl.hosts.ssh.proxy_command import ProxyCommand
from rancherctl.hosts.ssh_settings import SshSettings, settings_of

CONNECT_LIMIT = 15.0
AUTH_LIMIT = 30.0
SILENCE_LIMIT = 30.0
"""Seconds without an answer after which the peer counts as dead."""
DROPS = 6
"""Connections in a row that the server may drop before the login (MaxStartups) until the host counts as unreachable."""
PROXY_DROPS = 3
"""The same through a ProxyCommand, where most ends come from the command itself."""
CERTIFICATE_KINDS = tuple(
    f"{kind}-cert-v01@openssh.com"
    for kind in (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    )
)
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")


class JumpHost(Protocol):
    """A host that can open connections to others."""

    @property
    def name(self) -> str: ...

    def forward(self, address: str, port: int) -> paramiko.Channel:
        """A TCP connection from that host; raises errors of paramiko and socket."""


class ParamikoLogin:
    """Login to one host. ``closed`` ends all waiting."""

    def __init__(
        self,
        settings: SshSettings,
        name: str,
        prompts: Prompts,
        via: JumpHost | None,
        closed: threading.Event,
        backoff: Callable[[int], float],
        accepted: AcceptedKeys | None = None,
    ) -> None:
        self._settings, self._name, self._prompts, self._via = settings, name, prompts, via
        self._closed, self._backoff = closed, backoff
        self._identities = Identities(settings, prompts)
        self._accepted = accepted or AcceptedKeys()
        self._verified = True
        self.who = SudoLogin(settings.user, name, settings.host, settings.port)

    def connect(self) -> paramiko.Transport:
        """An authenticated connection with keep-alive. UnreachableError, AuthError."""
        limit = PROXY_DROPS if self._settings.proxy_command else DROPS
        for attempt in range(1, limit + 1):
            try:
                return self._login_once()
            except _DroppedError as error:
                if attempt == limit or self._closed.wait(self._backoff(attempt)):
                    what = f"{self._name}: the server dropped {attempt} connections before the login"
                    raise UnreachableError(
                        what,
                        why=str(error),
                        hint="check that this is an ssh server and that it allows this many connections",
                    ) from error
        raise AssertionError

    def _login_once(self) -> paramiko.Transport:
        transport = self._handshake()
        try:
            self._authenticate(transport)
        except BaseException:
            transport.close()
            raise
        keep_alive(transport, self._closed, every=self._settings.keepalive, silence=SILENCE_LIMIT)
        return transport

    def _handshake(self) -> paramiko.Transport:
        settings = self._settings
        name = settings.key_name or host_keys.lookup_name(settings.host, settings.port)
        about = host_keys.known(settings.known_hosts, [name])
        # the port may be of a forward or a proxy: like OpenSSH, accept the key that the plain name has
        plain = () if settings.key_name else host_keys.known(settings.known_hosts, [settings.host.lower()])
        connection = self._socket()
        transport = SshClient(connection, strict_kex=True)
        try:
            transport.banner_timeout = CONNECT_LIMIT
            transport.auth_timeout = AUTH_LIMIT
            options = transport.get_security_options()
            options.key_types = host_keys.preferred(options.key_types, (*about, *plain), CERTIFICATE_KINDS)
            options.ciphers = tuple(sorted(_modern(options.ciphers), key=_cipher_rank))
            transport.start_client(timeout=CONNECT_LIMIT)
            self._check_host_key(transport.get_remote_server_key(), name, about, plain)
        except BaseException as error:
            failure = _failure(self._name, connection, transport, error)
            transport.close()
            if failure is not None:
                raise failure from error
            if isinstance(error, (EOFError, ConnectionResetError)) or (
                isinstance(error, paramiko.SSHException) and "banner" in str(error)
            ):
                raise _DroppedError(line_of(error)) from error
            if isinstance(error, (paramiko.SSHException, OSError)):
                raise UnreachableError(
                    f"{self._name}: cannot start ssh with {settings.host}:{settings.port}", why=line_of(error)
                ) from error
            raise
        return transport

    def _check_host_key(
        self, key: paramiko.PKey, name: str, about: tuple[KnownHostsLine, ...], plain: tuple[KnownHostsLine, ...]
    ) -> None:
        settings = self._settings
        shown = (key.get_name(), key.get_base64())
        revoked = [line for line in plain if line.revoked]
        if key.public_blob is not None and check_key((*about, *revoked), *shown).answer != "revoked":
            certificate = (key.public_blob.key_type, key.public_blob.key_blob)
            if check_certificate(self._name, certificate, (*about, *plain), settings.key_name or settings.host):
                return
        if check_key(about, *shown).answer == "unknown" and check_key(plain, *shown).answer == "known":
            return
        rules = HostKeyRules(
            settings.strict, settings.store, self._prompts.host_key, self._prompts.warn, self._accepted
        )
        self._verified = host_keys.check(self._name, shown, (*about, *revoked), rules, name=name)

    def _socket(self) -> Any:
        settings = self._settings
        target = (settings.host, settings.port)
        try:
            if self._via is not None:
                return self._via.forward(*target)
            if settings.proxy_command:
                return ProxyCommand(settings.proxy_command, settings.shell)
            connection = socket.create_connection(target, timeout=CONNECT_LIMIT)
        except (OSError, EOFError, paramiko.SSHException) as error:
            through = f" through {self._via.name}" if self._via is not None else ""
            hint = "check the address and the port, and that sshd is running"
            raise UnreachableError(
                f"{self._name}: cannot connect to {settings.host}:{settings.port}{through}",
                why=line_of(error),
                hint=hint,
            ) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE_LIMIT * 1000))
        return connection

    def _authenticate(self, transport: paramiko.Transport) -> None:
        user, tried = self._settings.user, []
        try:
            for what, key in self._identities.candidates():
                tried.append(what)
                try:
                    missing = transport.auth_publickey(user, key)
                except paramiko.BadAuthenticationType as error:
                    if "publickey" not in error.allowed_types:
                        break
                except paramiko.AuthenticationException:
                    continue
                else:
                    if not missing:
                        return
                    break
            if (
                self._verified
                and self._prompts.password is not None
                and (secret := self._prompts.password(str(self.who))) is not None
            ):
                tried.append("password")
                if not transport.auth_password(user, str(secret)):
                    return
        except paramiko.AuthenticationException as error:
            raise self._denied(tried, line_of(error)) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if transport.is_active() or not tried:
                raise UnreachableError(f"{self._name}: the login did not finish", why=line_of(error)) from error
            raise self._denied(tried, f"the server closed the connection after {len(tried)} attempts") from error
        raise self._denied(
            tried, "the server accepted none of them" if tried else "no key, agent or password is available"
        )

    def _denied(self, tried: list[str], why: str) -> AuthError:
        hint = "set the right key (ssh.identity), or add your public key to authorized_keys on the host"
        why = "; ".join([why, *(f"{path} {what}" for path, what in self._identities.problems.items())])
        return AuthError(
            f"{self._name}: login as {self._settings.user} refused (tried {', '.join(tried) or 'nothing'})",
            why=why,
            hint=hint,
        )


def resolve_without_openssh(address: SshAddress) -> SshSettings:
    """Settings read by paramiko, for machines without OpenSSH.

    No Match, and Include only as far as paramiko supports it.
    """
    path = Path(address.config or "~/.ssh/config").expanduser()
    found: dict[str, list[str]] = {}
    if path.is_file():
        try:
            parsed = paramiko.SSHConfig.from_path(str(path)).lookup(address.host)
        except paramiko.ConfigParseError as error:
            raise UsageError(f"cannot read the ssh configuration {path}", why=line_of(error)) from error
        found = {key: [value] if isinstance(value, str) else list(value) for key, value in parsed.items()}
    if address.port:
        found["port"] = [str(address.port)]
    found.setdefault("identityfile", [f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")])
    return settings_of(address, found)


def _modern(ciphers: Iterable[str]) -> Iterator[str]:
    return (cipher for cipher in ciphers if not cipher.endswith("-cbc"))


def _cipher_rank(cipher: str) -> int:
    return CIPHERS.index(cipher) if cipher in CIPHERS else len(CIPHERS)


def _failure(host: str, connection: object, transport: SshClient, error: BaseException) -> UnreachableError | None:
    """What prevented the connection, if it is known better than by paramiko's error."""
    if not isinstance(error, (EOFError, OSError, paramiko.SSHException)):
        return None
    if (mismatch := transport.mismatch(host, error)) is not None:
        return mismatch
    return connection.failure(host, line_of(error)) if isinstance(connection, ProxyCommand) else None


class _DroppedError(Exception):
    """The server closed the connection before the login began: it may have too many connections."""


def line_of(error: BaseException) -> str:
    """An exception's message in one line."""
    # str() of a ChannelException is that of a tuple
    text = getattr(error, "text", "") if isinstance(error, paramiko.ChannelException) else ""
    return (getattr(error, "strerror", "") or text or str(error) or type(error).__name__).splitlines()[0][:300]
