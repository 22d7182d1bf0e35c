"""The user's own ~/.ssh, /etc/ssh and host names: where ``ssh HOST true`` logs in, our login does, and only there.

OpenSSH takes the home directory from the user database, whatever $HOME says. So each row runs in a mount namespace with
/etc/passwd, /etc/hosts and /etc/ssh of the test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.openssh import USER
from tests.fakes.ssh_site import CLIENTS, Site

ROOT = Path(__file__).parents[2]
IN_NAMESPACE = """set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/etc_ssh" /etc/ssh
shift
exec "$@"
"""
OURS = """import sys
from tests.fakes.ssh_site import CLIENTS, login_error
for client in CLIENTS:
    print(login_error("", sys.argv[1], client=client) or "works")
"""
BASE = "Host *\nHostName 127.0.0.1\nPort {port}\nBatchMode yes\n"
KEY = "IdentityFile {d}/good\nIdentitiesOnly yes\n"
NAMES = """127.0.0.1 localhost
127.0.0.1 web.corp.test web.corp.test.
127.0.0.1 real.other.test alias.corp.test.
"""
"""OpenSSH asks for names with a dot at their end; the first name of a line is the canonical one."""


@dataclass(frozen=True)
class Home:
    """Files of ~/.ssh ("" = the configuration itself), whether ssh logs in, and the host."""

    config: str
    works: bool
    host: str = "h"
    files: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    """Name in ~/.ssh of a copy of a key of the site, whose name follows: ``NAME:KEY``."""
    system: str = ""
    """/etc/ssh/ssh_config."""
    known: bool = True
    """Whether ~/.ssh/known_hosts has the server's key."""
    environ: Mapping[str, str] = field(default_factory=dict)


CANONICAL = "CanonicalizeHostname yes\nCanonicalDomains corp.test\nCanonicalizeFallbackLocal no\n"
PORT = "Host *\nPort {port}\nBatchMode yes\nHostKeyAlias [127.0.0.1]:{port}\n"
CASES = {
    "the default configuration": Home(KEY + BASE, True),
    "a default key": Home(BASE, True, key="id_ed25519:good"),
    "a default key that the server does not know": Home(BASE, False, key="id_ed25519:foreign"),
    "a default RSA key": Home(BASE, True, key="id_rsa:rsa"),
    "a key under another name": Home(BASE, False, key="work:good"),
    "an identity file with ~": Home("IdentityFile ~/.ssh/work\n" + BASE, True, key="work:good"),
    "an identity file with %d": Home("IdentityFile %d/.ssh/work\n" + BASE, True, key="work:good"),
    "$HOME is another folder": Home(
        "IdentityFile ~/.ssh/work\n" + BASE, True, key="work:good", environ={"HOME": "/nonexistent"}
    ),
    "$HOME is another folder, default key": Home(BASE, True, key="id_ed25519:good", environ={"HOME": "/nonexistent"}),
    "an unknown host key": Home(KEY + BASE, False, known=False),
    "known_hosts2": Home(KEY + BASE, True, known=False, files={"known_hosts2": "{known}"}),
    "a relative Include": Home("Include conf.d/key\n" + BASE, True, files={"conf.d/key": KEY}),
    "a relative Include with a pattern": Home("Include conf.d/*\n" + BASE, True, files={"conf.d/key": KEY}),
    "a relative Include within a relative Include": Home(
        "Include first\n" + BASE, True, files={"first": "Include second\n", "second": KEY}
    ),
    "Include with ~": Home("Include ~/.ssh/key\n" + BASE, True, files={"key": KEY}),
    "Include of a file that does not exist": Home("Include conf.d/none\n" + KEY + BASE, True),
    "the system's configuration": Home("", True, system=KEY + BASE),
    "the user's configuration before the system's": Home(
        "IdentityFile {d}/foreign\nIdentitiesOnly yes\n", False, system="Host *\nIdentityFile none\n" + BASE
    ),
    "a relative Include of the system's configuration": Home("", False, system="Include gone\n" + BASE),
    "a configuration that others can write": Home(KEY + BASE, False, files={"config": "{config}", "mode": "666"}),
    "a canonical name": Home(CANONICAL + "Host web.corp.test\n" + KEY + PORT, True, host="web"),
    "a canonical name, Match canonical": Home(
        CANONICAL + "Match canonical host *.corp.test\n" + KEY + PORT, True, host="web"
    ),
    "a canonical name that does not exist": Home(CANONICAL + "Host none.corp.test\n" + KEY + PORT, False, host="none"),
    "a permitted CNAME": Home(
        CANONICAL + "CanonicalizePermittedCNAMEs *.corp.test:*.other.test\nHost real.other.test\n" + KEY + PORT,
        True,
        host="alias",
    ),
    "a CNAME that is not permitted": Home(
        CANONICAL + "Host real.other.test\n" + KEY + "Host *\nIdentityFile none\n" + PORT, False, host="alias"
    ),
    "CanonicalizeMaxDots": Home(
        CANONICAL + "CanonicalizeMaxDots 0\nHost web.corp.test\n" + KEY + PORT, False, host="web.corp"
    ),
}


def prepare(site: Site, home: Home, folder: Path) -> None:
    def fill(text: str, **more: str) -> str:
        return text.format(d=site.folder, port=site.server.port, user=USER, **more)

    ssh = folder / "home" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    (folder / "etc_ssh").mkdir()
    (folder / "hosts").write_text(NAMES)
    (folder / "passwd").write_text(f"{USER}:x:{os.getuid()}:0::{folder}/home:/bin/sh\n")
    (folder / "etc_ssh" / "ssh_config").write_text(fill(home.system))
    config = ssh / "config"
    config.write_text(fill(home.config))
    config.chmod(0o600)
    if home.known:
        (ssh / "known_hosts").write_text(site.server.known_line)
    for name, text in home.files.items():
        if name == "mode":
            config.chmod(int(text, 8))
            continue
        path = ssh / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(fill(text, known=site.server.known_line, config=config.read_text()))
    if home.key:
        name, _, key = home.key.partition(":")
        for suffix in ("", ".pub"):
            shutil.copy(site.folder / f"{key}{suffix}", ssh / f"{name}{suffix}")


def run(folder: Path, environ: Mapping[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the namespace."""
    namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_NAMESPACE, "sh", str(folder)]
    return subprocess.run(
        [*namespace, *argv],
        env={**os.environ, "HOME": str(folder / "home"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces need root")
@pytest.mark.parametrize("name", CASES)
def test_both_of_our_clients_agree_with_ssh(ssh_site: Site, name: str, tmp_path: Path) -> None:
    home = CASES[name]
    prepare(ssh_site, home, tmp_path)
    ssh = run(tmp_path, home.environ, "ssh", home.host, "true")
    assert (ssh.returncode == 0) is home.works, ssh.stderr
    ours = run(tmp_path, {"PYTHONPATH": f"{ROOT}", **home.environ}, sys.executable, "-c", OURS, home.host)
    assert ours.returncode == 0, ours.stderr
    answers = ours.stdout.splitlines()
    assert [answer == "works" for answer in answers] == [home.works] * len(CLIENTS), answers
