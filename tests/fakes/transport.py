"""A host in a folder.

The real programs of ``hosts.remote`` with a root folder of its own and fake system tools.

A command that no test expects fails the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote_call import ARGV, answer_of, request_bytes
from rancherctl.hosts.transfer import feed, source_of
from rancherctl.hosts.transport import CommandFailedError, Progress

TOOLS = ("systemctl", "apt-get", "apt-cache", "dpkg", "dpkg-query", "getent", "useradd", "userdel", "journalctl")
Answer = Callable[[Command], Result]


def split_request(data: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    """Programs, request and the rest of one call's standard input (for transports that inspect it)."""
    line, _, rest = data.partition(b"\n")
    first, second = (int(word) for word in line.split())
    return rest[:first], json.loads(rest[first : first + second]), rest[first + second :]


class FakeTransport:
    """``expect`` allows a command; ``state`` and ``change`` read and edit the state of the fake tools.

    ``ran`` lists commands.
    """

    def __init__(self, folder: Path, name: str = "h1") -> None:
        self._name = name
        self.folder = folder
        self.root = folder / "root"
        self.ran: list[Command] = []
        self.before: Callable[[dict[str, Any]], None] | None = None
        """Called with each request before it is performed; may raise what a transport raises."""
        self._expected: dict[tuple[str, ...], Answer] = {}
        for place in ("etc/systemd/system", "run", "var/lib", "opt"):
            (self.root / place).mkdir(parents=True, exist_ok=True)
        self._state = folder / "state.json"
        lists: dict[str, list[str]] = {
            name: [] for name in ("failing", "disturbed", "distribution_units", "installed", "users", "log", "journal")
        }
        empty = {"units": {}, "available": {}, "logs": {}, "lists": True, **lists}
        self._state.write_text(json.dumps(empty))
        self._tools = folder / "bin"
        self._tools.mkdir()
        program = Path(__file__).with_name("host_tools.py")
        for tool in TOOLS:
            file = self._tools / tool
            file.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" -I "{program}" "{self._state}" "{self.root}" {tool} "$@"\n'
            )
            file.chmod(0o755)

    @property
    def name(self) -> str:
        return self._name

    @property
    def owner(self) -> str:
        """``user:group`` of the test, the owner of every file here."""
        return disk.owner_of(os.geteuid(), os.getegid())

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self._state.read_text())

    def change(self, **fields: Any) -> None:
        self._state.write_text(json.dumps(self.state | fields))

    def expect(self, *argv: str, stdout: bytes = b"", status: int = 0, stderr: bytes = b"") -> None:
        """Allow a command and set its answer."""
        self._expected[argv] = lambda command: Result(command, status, stdout, stderr)

    def run(self, command: Command, *, check: bool = True) -> Result:
        self.ran.append(command)
        if command.argv == ARGV:
            result = self._program(command, command.stdin or b"")
        elif command.argv in self._expected:
            result = self._expected[command.argv](command)
        else:
            raise AssertionError(f"{self._name}: unexpected command {command.show()}")
        if check and not result.ok:
            raise CommandFailedError(self._name, result)
        return result

    def _program(self, command: Command, stdin: bytes) -> Result:
        program, request, rest = split_request(stdin)
        if self.before is not None:
            self.before(request)
        body = json.dumps(request | {"root": str(self.root)}).encode()
        head = f"{len(program)} {len(body)}\n".encode()
        path = f"{self._tools}:{Path(shutil.which('sh') or '/bin/sh').parent}"
        done = subprocess.run(
            [sys.executable, *ARGV[1:]],
            input=head + program + body + rest,
            capture_output=True,
            timeout=60,
            env={"PATH": path},
            check=False,
        )
        return Result(command, done.returncode, done.stdout, done.stderr)

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        sent = source_of(source)
        base = {"path": target, "source": sent.key, "size": sent.size}
        offset = self._call({"op": "offset", **base})["offset"]
        head = request_bytes({"op": "receive", **base, "offset": offset, "mode": mode, "owner": self.owner})
        command = Command(ARGV)
        answer_of(
            self._name, self._program(command, head + b"".join(feed(sent, offset, progress))), f"upload to {target}"
        )

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        return answer_of(self._name, self._program(Command(ARGV), request_bytes(request)), str(request["op"]))

    def close(self) -> None:
        """Do nothing: nothing is open."""
