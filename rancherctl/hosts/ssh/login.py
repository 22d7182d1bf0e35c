"""Connect and log in: socket, host key check, user keys or password.

Host keys are always checked. Every wait has a limit; a server that drops connections before the login (MaxStartups) is
retried.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import paramiko

from rancherctl.errors import UnreachableError, UsageError
from rancherctl.hosts import host_keys
from rancherctl.hosts.host_keys import AcceptedKeys, HostKeyRules
from rancherctl.hosts.known_hosts import KnownHostsLine, check_key
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.ssh.authentication import Authentication
from rancherctl.hosts.ssh.client import SshClient
from rancherctl.hosts.ssh.host_certificates import check_certificate
from rancherctl.hosts.ssh.keepalive import keep_alive
from rancherctl.hosts.ssh.messages import line_of
from rancherctl.hosts.ssh.proxy_command import ProxyCommand
from rancherctl.hosts.ssh.tcp import connect
from rancherctl.hosts.ssh_login_attempts import DroppedError, repeated
from rancherctl.hosts.ssh_options import CIPHERS, KEYS, KEYS_AND_CERTIFICATES, allowed
from rancherctl.hosts.ssh_settings import SshSettings, settings_of

CONNECT_LIMIT = 15.0
AUTH_LIMIT = 30.0
SILENCE_LIMIT = 30.0
"""Seconds without an answer after which the peer counts as dead."""
CERTIFICATE_KINDS = tuple(kind for kind in KEYS_AND_CERTIFICATES if kind not in KEYS)


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
        self._accepted = accepted or AcceptedKeys()
        self._verified = True
        self.who = SudoLogin(settings.user, name, settings.host, settings.port)
        self._authentication = Authentication(settings, self.who, prompts)

    def connect(self) -> paramiko.Transport:
        """An authenticated connection with keep-alive. UnreachableError, AuthError."""
        return repeated(
            self._login_once,
            self._name,
            by_command=bool(self._settings.proxy_command),
            closed=self._closed,
            backoff=self._backoff,
        )

    def _login_once(self) -> paramiko.Transport:
        transport = self._handshake()
        try:
            self._authentication.run(transport, verified=self._verified)
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
            lists = settings.algorithms
            options.kex = _allowed(options.kex, lists.kex)
            options.digests = _allowed(options.digests, lists.macs)
            kinds = _allowed((*options.key_types, *CERTIFICATE_KINDS), lists.host_keys)
            options.key_types = host_keys.preferred(
                [kind for kind in kinds if kind not in CERTIFICATE_KINDS],
                (*about, *plain),
                [kind for kind in CERTIFICATE_KINDS if kind in kinds],
            )
            ciphers = _allowed(CIPHERS, lists.ciphers) if lists.ciphers else _modern(CIPHERS)
            options.ciphers = tuple(ciphers)
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
                raise DroppedError(line_of(error)) from error
            if isinstance(error, (paramiko.SSHException, OSError)):
                raise UnreachableError(
                    f"{self._name}: cannot start ssh with {settings.host}:{settings.port}",
                    why=line_of(error),
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
            settings.strict,
            settings.store,
            settings.hash_names,
            self._prompts.host_key,
            self._prompts.warn,
            self._accepted,
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
            connection = connect(settings, CONNECT_LIMIT)
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


def _allowed(own: Sequence[str], configured: Sequence[str]) -> tuple[str, ...]:
    """What the configuration allows; all, if it allows none: then the user chose paramiko in spite of it."""
    return allowed(own, configured) or tuple(own)


def _failure(host: str, connection: object, transport: SshClient, error: BaseException) -> UnreachableError | None:
    """What prevented the connection, if it is known better than by paramiko's error."""
    if not isinstance(error, (EOFError, OSError, paramiko.SSHException)):
        return None
    if (mismatch := transport.mismatch(host, error)) is not None:
        return mismatch
    return connection.failure(host, line_of(error)) if isinstance(connection, ProxyCommand) else None


class _DroppedError(Exception):
    """The server closed the connection before the login began: it may have too many connections."""
