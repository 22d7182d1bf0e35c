"""A real OpenSSH server with a configuration of a client for it, and what a client leaves behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.openssh.transport import OpenSshTransport
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_configurations import SshConfigurations
from rancherctl.polling import poll_until
from tests.fakes.openssh import USER, OpenSshServer, make_key


@dataclass(frozen=True)
class Site:
    """A server, and the configuration of a client for it."""

    folder: Path
    server: OpenSshServer

    def config(self, lines: str = "") -> Path:
        """A configuration file whose hosts are all the server; ``lines`` come first."""
        path = self.folder / "config"
        path.write_text(
            f"{lines}\nHost *\nHostName 127.0.0.1\nPort {self.server.port}\nUser {USER}\nIdentitiesOnly yes\n"
            f"IdentityFile {self.folder}/key\nIdentityAgent none\nUserKnownHostsFile {self.folder}/known_hosts\n"
            "GlobalKnownHostsFile none\n"
        )
        return path

    def transport(self, lines: str = "") -> OpenSshTransport:
        return OpenSshTransports(Prompts(), SshConfigurations().settings).create(
            SshAddress("h", config=str(self.config(lines))), "h1"
        )

    def logins(self) -> int:
        return (self.folder / "server" / "log").read_text().count("Accepted publickey")


def processes(mark: str) -> list[str]:
    """Command lines of running processes that contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if mark in words and int(path.name) != os.getpid():
            found.append(words)
    return found


def left_of(site: Site) -> list[str]:
    """Processes with a configuration or a folder of this test, and files in the folder for temporary files."""
    clients = [words for words in processes(str(site.folder)) if "sshd" not in words]
    return [*clients, *(path.name for path in (site.folder / "tmp").iterdir())]


def all_ended(site: Site) -> bool:
    """Killed processes end in an instant, but not in the same one."""
    return bool(poll_until(lambda: not left_of(site), 20, first=0.01))


@contextmanager
def openssh_site(folder: Path) -> Iterator[Site]:
    """A running server whose client has a key for it and knows its host key."""
    (folder / "tmp").mkdir()
    make_key(folder / "key")
    server = OpenSshServer(folder / "server")
    server.authorize(folder / "key")
    (folder / "known_hosts").write_text(server.known_line)
    with server:
        yield Site(folder, server)
