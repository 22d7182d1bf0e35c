"""Hosts over ssh. The only module that imports paramiko.

One connection per host, many commands at once over it. Host keys are always checked. Every wait has a limit: connecting, the server's
banner, authentication, each command; a dead peer is noticed by keepalives that stay unanswered.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import paramiko

from rancherctl.errors import AuthError, UnreachableError, UsageError
from rancherctl.hosts import host_keys, sudo
from rancherctl.hosts.command import Command, Result, Secret
from rancherctl.hosts.helper import ARGV, answer_of, call, request_bytes
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.rights import Rights
from rancherctl.hosts.session import Session
from rancherctl.hosts.shared import Shared
from rancherctl.hosts.ssh_settings import SshSettings, settings_of
from rancherctl.hosts.transfer import feed, source_of
from rancherctl.hosts.transport import CommandFailedError, Progress
from rancherctl.hosts.watch import watch

# its own handler, so that the library's tracebacks never reach a user's terminal
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_LIMIT = 15.0
AUTH_LIMIT = 30.0
SILENCE_LIMIT = 30.0
"""Seconds without an answer to what was sent after which the peer counts as gone."""
UPLOAD_LIMIT = 3600.0
DROPS = 6
"""So many connections in a row may be dropped before the login (MaxStartups) until that counts as unreachable."""
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")


class SshTransport:
    """A host over ssh; connects at the first command and again after a cut. ``via`` is the jump host's transport."""

    def __init__(
        self,
        settings: SshSettings,
        *,
        name: str = "",
        prompts: Prompts | None = None,
        via: SshTransport | None = None,
        channels: int = 8,
        backoff: Callable[[int], float] | None = None,
    ) -> None:
        self._settings = settings
        self._name = name or settings.host
        self._prompts = prompts or Prompts()
        self._via = via
        # sshd's MaxSessions is 10 by default
        self._slots = threading.BoundedSemaphore(channels)
        self._backoff = backoff or (lambda attempt: min(0.2 * 2**attempt, 5.0) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        self._closed = threading.Event()
        self._connection = Shared(self._connect, paramiko.Transport.is_active)
        login = SudoLogin(settings.user, self._name, settings.host, settings.port)
        self._login, self._rights = str(login), Rights(login, self._prompts)

    @property
    def name(self) -> str:
        """The host's name for messages."""
        return self._name

    def run(self, command: Command, *, check: bool = True) -> Result:
        """Run to the end. With ``check`` a non-zero exit raises CommandFailedError."""
        result = self._execute(command, (command.stdin,) if command.stdin else ())
        if check and not result.ok:
            raise CommandFailedError(self._name, result)
        return result

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        """Send a file to a temp beside the target, going on from an earlier try; the host checks the hash, syncs and renames."""
        what = source_of(source)
        base = {"path": target, "source": what.key, "size": what.size}
        offset = int(call(self, {"op": "offset", **base})["offset"])
        head = request_bytes({"op": "receive", **base, "offset": offset, "mode": mode, "owner": "root:root"})

        def blocks() -> Iterator[bytes]:
            yield head
            yield from feed(what, offset, progress)

        answer_of(self._name, self._execute(Command(ARGV, None, True, UPLOAD_LIMIT), blocks()))

    def channel(self, address: str, port: int) -> paramiko.Channel:
        """A TCP connection made by the host to ``address:port`` (hosts.forward). UnreachableError when the host cannot."""
        try:
            return self._connected().open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=CONNECT_LIMIT)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise UnreachableError(f"{self._name}: no connection from there to {address}:{port}", why=_line(error)) from error

    def close(self) -> None:
        """End the connection (the jump host's stays); commands that run are told that it was cut."""
        self._closed.set()
        transport = self._connection.peek()
        if transport is not None:
            transport.close()

    def _execute(self, command: Command, blocks: Iterable[bytes]) -> Result:
        way = self._rights.way(lambda probe: self._execute(probe, ())) if command.root else "root"
        if way == "password":
            return self._rights.with_password(lambda password: self._session(command, blocks, password, str))
        return self._session(command, blocks, None, sudo.without_password if way == "sudo" else str)

    def _session(self, command: Command, blocks: Iterable[bytes], password: Secret | None, wrap: Callable[[str], str]) -> Result:
        with self._slots:
            transport = self._connected()

            def alive() -> bool:
                # channels are told of a cut a moment before the connection itself counts as ended
                transport.join(0.3)
                return transport.is_active()

            session = Session(self._channel(transport), command, where=self._name, alive=alive)
            try:
                return session.run(blocks, password=password, wrap=wrap)
            except paramiko.SSHException as error:
                raise UnreachableError(f"{self._name}: the connection was cut during {command.show()[:200]}", why=_line(error)) from error

    def _channel(self, transport: paramiko.Transport) -> paramiko.Channel:
        for attempt in range(DROPS):
            try:
                return transport.open_session(timeout=CONNECT_LIMIT)
            except paramiko.ChannelException as error:
                # another client of the same login, or a lower MaxSessions, has taken the places
                if self._closed.wait(self._backoff(attempt)) or attempt == DROPS - 1:
                    raise UnreachableError(f"{self._name}: the server opens no more sessions", why=str(error)) from error
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise UnreachableError(f"{self._name}: the connection was cut", why=_line(error), hint="run the same command again") from error
        raise AssertionError

    def _connected(self) -> paramiko.Transport:
        if self._closed.is_set():
            raise UnreachableError(f"{self._name}: the connection was closed")
        return self._connection.get()

    def _connect(self) -> paramiko.Transport:
        for attempt in range(1, DROPS + 1):
            try:
                return self._login_once()
            except _DroppedError as error:
                if attempt == DROPS or self._closed.wait(self._backoff(attempt)):
                    what = f"{self._name}: the server dropped {attempt} connections before the login"
                    raise UnreachableError(what, why=str(error), hint="too many connections at once, or no ssh server there") from error
        raise AssertionError

    def _login_once(self) -> paramiko.Transport:
        transport = self._handshake()
        try:
            self._authenticate(transport)
        except BaseException:
            transport.close()
            raise
        watch(transport, self._closed, every=self._settings.keepalive, silence=SILENCE_LIMIT)
        return transport

    def _handshake(self) -> paramiko.Transport:
        settings = self._settings
        names = [settings.key_name] if settings.key_name else [host_keys.lookup_name(settings.host, settings.port)]
        about = host_keys.known(settings.known_hosts, names)
        transport = paramiko.Transport(self._socket(), strict_kex=True)
        try:
            transport.banner_timeout = CONNECT_LIMIT
            transport.auth_timeout = AUTH_LIMIT
            options = transport.get_security_options()
            options.key_types = host_keys.preferred(options.key_types, about)
            options.ciphers = tuple(cipher for cipher in CIPHERS if cipher in options.ciphers)
            transport.start_client(timeout=CONNECT_LIMIT)
            key = transport.get_remote_server_key()
            shown = (key.get_name(), key.get_base64())
            host_keys.check(self._name, shown, about, name=names[0], files=settings.known_hosts, ask=self._prompts.host_key)
        except BaseException as error:
            transport.close()
            if isinstance(error, (EOFError, ConnectionResetError)) or (isinstance(error, paramiko.SSHException) and "banner" in str(error)):
                raise _DroppedError(_line(error)) from error
            if isinstance(error, (paramiko.SSHException, OSError)):
                raise UnreachableError(f"{self._name}: no ssh session with {settings.host}:{settings.port}", why=_line(error)) from error
            raise
        return transport

    def _socket(self) -> Any:
        settings = self._settings
        target = (settings.host, settings.port)
        try:
            if self._via is not None:
                return self._via._connected().open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=CONNECT_LIMIT)
            if settings.proxy_command:
                return paramiko.ProxyCommand(settings.proxy_command)
            connection = socket.create_connection(target, timeout=CONNECT_LIMIT)
        except (OSError, EOFError, paramiko.SSHException) as error:
            through = f" through {self._via.name}" if self._via is not None else ""
            hint = "check the address, the port, and that sshd runs there"
            raise UnreachableError(
                f"{self._name}: cannot connect to {settings.host}:{settings.port}{through}", why=_line(error), hint=hint
            ) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE_LIMIT * 1000))
        return connection

    def _authenticate(self, transport: paramiko.Transport) -> None:
        user, tried = self._settings.user, []
        try:
            for what, key in self._keys():
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
            if self._prompts.password is not None and (secret := self._prompts.password(self._login)) is not None:
                tried.append("password")
                if not transport.auth_password(user, str(secret)):
                    return
        except paramiko.AuthenticationException as error:
            raise self._denied(tried, _line(error)) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if transport.is_active() or not tried:
                raise UnreachableError(f"{self._name}: the login did not end", why=_line(error)) from error
            raise self._denied(tried, f"the server hung up after {len(tried)} tries") from error
        raise self._denied(tried, "the server accepts none of them" if tried else "no key, no agent and no password is at hand")

    def _denied(self, tried: list[str], why: str) -> AuthError:
        hint = "name the right key (ssh.identity), or add your public key to authorized_keys on the host"
        return AuthError(f"{self._name}: login as {self._settings.user} refused (tried {', '.join(tried) or 'nothing'})", why=why, hint=hint)

    def _keys(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Keys to try: those of the configuration first, then the agent's."""
        for text in self._settings.identities:
            path = Path(text).expanduser()
            if path.is_file() and (key := self._load(path)) is not None:
                yield str(path), key
        if self._settings.agent and not self._settings.identities_only:
            agent = paramiko.Agent()
            try:
                for key in agent.get_keys():
                    yield f"agent key {key.comment or key.get_name()}", key
            finally:
                agent.close()

    def _load(self, path: Path, passphrase: Secret | None = None) -> paramiko.PKey | None:
        """The key of a file; None when it is of no kind that can be used, or locked and nobody knows the passphrase."""
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                key: paramiko.PKey = kind.from_private_key_file(str(path), str(passphrase) if passphrase is not None else None)
            except paramiko.PasswordRequiredException:
                given = self._prompts.passphrase(str(path)) if self._prompts.passphrase is not None else None
                return self._load(path, given) if given is not None else None
            except (paramiko.SSHException, ValueError, OSError):
                continue
            certificate = path.with_name(f"{path.name}-cert.pub")
            if certificate.is_file():
                key.load_certificate(str(certificate))
            return key
        if passphrase is not None:
            raise AuthError(
                f"cannot unlock the key {path}", why="the passphrase is wrong", hint="give the right passphrase, or add the key to an agent"
            )
        return None


def resolve_without_openssh(address: SshAddress) -> SshSettings:
    """Settings by the library's own parser, for operators without OpenSSH: no Match, Include only as far as that parser goes."""
    path = Path(address.config or "~/.ssh/config").expanduser()
    found: dict[str, list[str]] = {}
    if path.is_file():
        try:
            parsed = paramiko.SSHConfig.from_path(str(path)).lookup(address.host)
        except paramiko.ConfigParseError as error:
            raise UsageError(f"the ssh configuration {path} cannot be read", why=_line(error)) from error
        found = {key: [value] if isinstance(value, str) else list(value) for key, value in parsed.items()}
    if address.port:
        found["port"] = [str(address.port)]
    found.setdefault("identityfile", [f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")])
    return settings_of(address, found)


class _DroppedError(Exception):
    """The server hung up before the login began: it may have too many guests at once."""


def _line(error: BaseException) -> str:
    return (getattr(error, "strerror", "") or str(error) or type(error).__name__).splitlines()[0][:300]
