"""Real OpenSSH on loopback: a server with its own keys, an agent, and key files of many kinds."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""
USER: Final = getpass.getuser()


@cache
def client_version() -> tuple[int, int]:
    """The version of ``ssh``; (0, 0) if it is not installed."""
    if not shutil.which("ssh"):
        return 0, 0
    shown = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def keygen(*words: str | Path) -> str:
    """Run ssh-keygen; its standard output."""
    return subprocess.run(
        ["ssh-keygen", "-q", *map(str, words)], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A key pair at ``path`` and ``path.pub``."""
    keygen("-t", kind, "-N", passphrase, "-C", path.name, "-f", path)
    return path


def public(path: Path) -> str:
    """The line of the public half."""
    return path.with_name(f"{path.name}.pub").read_text()


def certify(path: Path, authority: Path, *words: str, to: Path | None = None) -> Path:
    """A certificate of the key by the authority, at ``path-cert.pub`` or ``to``."""
    keygen("-s", authority, "-I", path.name, *words, path.with_name(f"{path.name}.pub"))
    made = path.with_name(f"{path.name}-cert.pub")
    return made.rename(to) if to is not None else made


@dataclass(frozen=True)
class Account:
    """A user of a server of its own. ``expires``: days since 1970, as in /etc/shadow."""

    name: str
    shell: str
    expires: str = ""
    startup: Mapping[str, str] = field(default_factory=dict)
    """Files of the home directory, by name."""


IN_NAMESPACE: Final = """set -e
for name in passwd shadow; do mount --bind "$1/$name" "/etc/$name"; done
shift
exec "$@"
"""
"""Give a program other accounts than this machine's; only in a mount namespace of its own."""


class OpenSshServer:
    """A local sshd; a context manager. ``known_line`` is its line for known_hosts.

    With ``accounts`` it runs in a mount namespace, and has these users beside root; that needs root rights.
    """

    def __init__(self, folder: Path, options: str = "", accounts: Sequence[Account] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.host_key = folder / "host_key"
        if not self.host_key.exists():
            make_key(self.host_key)
        self.authorized = folder / "authorized_keys"
        self.authorized.touch()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self._config = folder / "sshd_config"
        # Without the startup files of the user who runs the tests.
        home = "" if accounts else f"SetEnv HOME={folder}\n"
        # Not the default key exchange: sntrup761x25519 costs each client 0.1 s.
        kex = "curve25519-sha256,curve25519-sha256@libssh.org,diffie-hellman-group18-sha512"
        # The first value of an option counts.
        self._config.write_text(
            f"{options}\nPort {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nPidFile none\nUsePAM no\n"
            f"StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nMaxAuthTries 20\n"
            f"AuthorizedKeysFile {self.authorized}\nKexAlgorithms {kex}\n{home}"
        )
        self._argv = [SSHD, "-D", "-e", "-f", str(self._config)]
        if accounts:
            self._make_accounts(accounts)
            namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_NAMESPACE, "sh"]
            self._argv = [*namespace, str(folder), *self._argv]
        self._process: subprocess.Popen[bytes] | None = None

    def _make_accounts(self, accounts: Sequence[Account]) -> None:
        """All have root's user id: whatever they do on this machine, they may do."""
        passwd = ["root:x:0:0:root:/root:/bin/sh", "sshd:x:1:65534::/run/sshd:/usr/sbin/nologin"]
        shadow = ["root:*:19000::::::"]
        for account in accounts:
            home = self.folder / "homes" / account.name
            home.mkdir(parents=True)
            for name, text in account.startup.items():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_text(text)
            passwd.append(f"{account.name}:x:0:0::{home}:{account.shell}")
            shadow.append(f"{account.name}:*:19000:::::{account.expires}:")
        (self.folder / "passwd").write_text("\n".join([*passwd, ""]))
        (self.folder / "shadow").write_text("\n".join([*shadow, ""]))

    @property
    def known_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {public(self.host_key)}"

    def authorize(self, *keys: Path) -> None:
        with self.authorized.open("a") as file:
            file.writelines(public(key) for key in keys)

    def __enter__(self) -> OpenSshServer:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def __exit__(self, *exc: object) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait(20)


class SshAgent:
    """An ssh-agent that listens at ``socket``; a context manager."""

    def __init__(self, path: Path, *keys: Path) -> None:
        self.socket, self._keys = path, keys
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SshAgent:
        self._process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(self.socket)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"},
        )
        try:
            end = time.monotonic() + 20
            # the file is there before the agent listens
            while not self._listens():
                assert time.monotonic() < end
                time.sleep(0.02)
            for key in self._keys:
                self.add(key)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def add(self, key: Path, passphrase: str = "", *, confirm: bool = False) -> None:
        """Add a private key; with ``confirm`` the agent asks for each use, which here means that it refuses."""
        helper = self.socket.with_name("askpass")
        helper.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        helper.chmod(0o700)
        environment = os.environ | {
            "SSH_AUTH_SOCK": str(self.socket),
            "SSH_ASKPASS": str(helper),
            "SSH_ASKPASS_REQUIRE": "force",
        }
        subprocess.run(
            ["ssh-add", "-q", *(["-c"] if confirm else []), str(key)],
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
        )

    def __exit__(self, *exc: object) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait(20)
