"""A small ssh server in this process that runs commands in a folder and misbehaves on request.

Loopback only, no root.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
    cMSG_CHANNEL_SUCCESS,
)
from paramiko.server import InteractiveQuery

SUDO = """#!/bin/sh
mode=$(cat {mode})
case "$*" in "-k -n true") test "$mode" = free; exit;; esac
test "$mode" = refused && {{ echo "$USER is not in the sudoers file." >&2; exit 1; }}
case "$1" in
-n) test "$mode" = free || {{ echo "sudo: a password is required" >&2; exit 1; }}; shift 2; exec "$@";;
esac
prompt=$4
shift 5
test "$mode" = quiet && exec "$@"
echo "We trust you have received the usual lecture from the local System" >&2
test "$mode" = own-words && prompt="Token: "
again="Sorry, try again." none="sudo: no password was provided"
if test "$mode" = sudo-rs; then
  prompt="[sudo: authenticate] Password: "
  again="sudo-rs: Authentication failed, try again."
  none="sudo-rs: Authentication required but not attempted"
fi
printf %s "$prompt" >&2
while read -r given; do
  if test "$given" = right; then exec "$@"; fi
  echo "$again" >&2
  printf %s "$prompt" >&2
done
echo "$none" >&2
exit 1
"""


class _Guest(paramiko.ServerInterface):
    def __init__(self, server: SshServer, connection: _Connection) -> None:
        self._server, self._connection = server, connection
        self._allowed = server.methods

    def get_allowed_auths(self, username: str) -> str:
        return self._allowed

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL if not self._server.methods else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._server.client_key is None or key.get_base64() != self._server.client_key:
            return AUTH_FAILED
        if not self._server.after_key:
            return AUTH_SUCCESSFUL
        self._allowed = self._server.after_key
        return AUTH_PARTIALLY_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        if "keyboard-interactive" not in self._allowed:
            return AUTH_FAILED
        return InteractiveQuery("", "", *self._server.questions)

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        right = responses == list(self._server.questions.values())
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == self._server.password else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self._server.forwards.append((chanid, destination))
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._connection.accepted = lambda: self._server.start(self._server.execute, channel, command.decode())
        return True


class _Connection(paramiko.Transport):
    """Runs ``accepted`` after the client got the reply to its request, as sshd does.

    A fast command would end before it.
    """

    accepted: Callable[[], None] | None = None

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]  # not in the stubs
        if self.accepted is not None and data.asbytes()[:1] == cMSG_CHANNEL_SUCCESS:
            begin, self.accepted = self.accepted, None
            begin()


class SshServer:
    """Use as a context manager. ``address`` is (host, port).

    Set ``drop``, ``noise``, ``greeting``, ``methods``, ``after_key`` and ``questions`` before a client connects.
    """

    def __init__(self, folder: Path, *, host_key: paramiko.PKey | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.host_key = host_key or paramiko.ECDSAKey.generate()
        self.client_key: str | None = None
        self.password: str | None = None
        self.drop = 0
        """So many connections are closed before a word is said."""
        self.noise = b""
        """Said before the protocol's own banner."""
        self.methods = "publickey,password"
        """The login methods that it offers; "" lets everybody in."""
        self.after_key = ""
        """The methods that it asks for after an accepted key."""
        self.questions: dict[str, str] = {}
        """The questions of keyboard-interactive with the right answers."""
        self.greeting = ""
        """Shell text that every command's shell runs first, like a talkative .bashrc."""
        self.connections = 0
        self.forwards: list[tuple[int, tuple[str, int]]] = []
        self.lines: list[str] = []
        self._bin = folder / "bin"
        self._bin.mkdir()
        self.sudo("free")
        for name, text in (("sudo", SUDO.format(mode=folder / "sudo")), ("id", "#!/bin/sh\necho 1000\n")):
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o755)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[paramiko.Transport] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> tuple[str, int]:
        return self._listener.getsockname()

    def sudo(self, mode: str) -> None:
        """``free``, ``asks`` (password: right), ``quiet``, ``own-words``, ``sudo-rs`` or ``refused``."""
        (self.folder / "sudo").write_text(mode)

    def start(self, function: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> SshServer:
        self.start(self._serve)
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in list(self._threads):
            thread.join(60)
        for transport in self._open:
            transport.join(60)

    def cut(self) -> None:
        """End every connection at once, and what runs on them."""
        for transport in self._open:
            transport.close()
        for child in self._children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)

    def _serve(self) -> None:
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.connections <= self.drop:
                guest.close()
                continue
            if self.noise:
                guest.sendall(self.noise)
            transport = _Connection(guest)
            transport.add_server_key(self.host_key)
            self._open.append(transport)
            # with an event it returns at once: a guest that hangs up early is not this thread's business
            transport.start_server(event=threading.Event(), server=_Guest(self, transport))

    def execute(self, channel: paramiko.Channel, line: str) -> None:
        self.lines.append(line)
        path = f"{self._bin}:{os.environ['PATH']}"
        with subprocess.Popen(
            ["sh", "-c", self.greeting + line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd=self.folder,
            env={"PATH": path},
        ) as child:
            self._children.append(child)
            assert child.stdin
            assert child.stdout
            assert child.stderr
            pumps = [
                threading.Thread(target=_pump, args=pair, daemon=True)
                for pair in ((child.stdout, channel.sendall), (child.stderr, channel.sendall_stderr))
            ]
            feeder = threading.Thread(target=_feed, args=(channel, child.stdin), daemon=True)
            for thread in (*pumps, feeder):
                thread.start()
            for thread in pumps:
                thread.join()
            status = child.wait()
            # the client may have left before the command ended
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                channel.send_exit_status(status & 0xFF)
                channel.close()
            feeder.join()


def _pump(source: object, send: Callable[[bytes], None]) -> None:
    try:
        while data := source.read1(65536):  # type: ignore[attr-defined]
            send(data)
    except (OSError, EOFError):
        return


def _feed(channel: paramiko.Channel, sink: object) -> None:
    try:
        while data := channel.recv(65536):
            sink.write(data)  # type: ignore[attr-defined]
            sink.flush()  # type: ignore[attr-defined]
    except OSError:
        return
    finally:
        with contextlib.suppress(BrokenPipeError):
            # the command did not want the rest
            sink.close()  # type: ignore[attr-defined]
