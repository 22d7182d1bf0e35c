"""Secrets are in no log, command line or file readable by others, on hosts and on the operator's machine."""

import base64
import json
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from rancherctl.lab.session import RunningLab, running_lab
from tests.fakes import tls
from tests.lab import workloads as w
from tests.lab.support import Environment, lab_name, make, until

SEARCH = Path(__file__).with_name("secret_search.py")
YOUNG = 100
"""Number of scans for which a process counts as new."""
PRIVATE_KEY = re.compile(r"PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}")
"""kubectl caches the documentation of the API, which has the words alone."""
HOST = "secrets.example.org"
SITE = tls.Authority().issue(HOST)
PASSWORD = "Correct-Horse-Battery-4711"


class CommandLines:
    """Every command line on this machine while the block runs: lab hosts share its process table."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        scans: dict[str, int] = {}
        while not self._stop.wait(0.01):
            scans = {pid: scans.get(pid, 0) + 1 for pid in (p.name for p in Path("/proc").iterdir()) if pid.isdigit()}
            for pid, count in scans.items():
                # exec changes a command line: new processes are read in each scan, old ones rarely.
                if count <= YOUNG or count % YOUNG == 0:
                    try:
                        self.seen.add(Path("/proc", pid, "cmdline").read_bytes())
                    except OSError:
                        continue  # the process is over


@pytest.fixture(scope="module")
def made() -> CommandLines:
    """The command lines recorded while the environment was created."""
    return CommandLines()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, made: CommandLines) -> Iterator[Environment]:
    """One host whose sudo requires a password.

    Created, applied again and merged into a kubeconfig while argv is recorded.
    """
    name = lab_name("s")
    home = tmp_path_factory.mktemp("secrets")
    with running_lab(name, 1) as lab:
        lab.ssh("h1", "chpasswd", stdin=f"ops:{PASSWORD}\n")
        file = home / "sudo"
        file.write_text(PASSWORD + "\n", encoding="utf-8")
        file.chmod(0o600)
        environment = as_ops(make(name, lab, home), file)
        with made:
            environment.ok("env", "create", "-f", str(environment.file))
            environment.ok("env", "apply", name)
            environment.ok("env", "status", name)
            environment.kubectl("get", "nodes")
            environment.apply(
                w.tls_secret("default", "web", SITE),
                w.service("default", "web"),
                w.ingress("default", "web", HOST, "web", secret="web"),
            )
            (address,) = w.published(environment, "default", "web", 1)
            until("HTTPS", lambda: tls.serial(443, HOST, address) == SITE.serial)
        yield environment


def as_ops(environment: Environment, password: Path) -> Environment:
    """The same, by the user `ops` and with the password in a file."""
    text = environment.file.read_text(encoding="utf-8").replace("user: root", "user: ops")
    environment.file.write_text(text, encoding="utf-8")
    return Environment(
        environment.name,
        environment.lab,
        environment.home,
        environment.file,
        {"RANCHERCTL_SUDO_PASSWORD_FILE": str(password)},
    )


def search(lab: RunningLab, host: str, mode: str, needles: list[str]) -> list[str]:
    """Run the search on a host and return its lines."""
    lab.ssh(host, "cat > /run/rancherctl-test-search.py", stdin=SEARCH.read_text(encoding="utf-8"))
    return lab.ssh(
        host, f"python3 -I /run/rancherctl-test-search.py {mode}", stdin=json.dumps(needles), timeout=600.0
    ).splitlines()


@pytest.fixture(scope="module")
def needles(own: Environment) -> list[str]:
    """Pieces of every secret: private keys, encryption and TSIG keys, tokens of the operator, passwords."""
    found = set(search(own.lab, "h1", "collect", []))
    kinds = {line.partition(" ")[0] for line in found}
    assert {"key", "secret"} <= kinds, kinds
    pieces = {line.partition(" ")[2] for line in found} | {PASSWORD}
    lines = SITE.key.decode().split("-----")[2].split()
    assert lines[len(lines) // 2] in pieces, "the key of an Ingress is one of them"
    pieces |= set(
        re.findall(
            r"eyJ[\w-]+\.[\w-]+\.([\w-]{40,})",
            "".join(p.read_text(errors="replace") for p in own.home.rglob("*") if p.is_file()),
        )
    )
    pieces |= {base64.b64encode(PASSWORD.encode()).decode()}
    return sorted(pieces)


def test_no_secret_in_an_argument_list(own: Environment, made: CommandLines, needles: list[str]) -> None:
    """No command line of operator and hosts during create, apply and status contains a secret."""
    text = b"\n".join(made.seen)
    assert b"/etc/rancherctl/kubelet.yaml" in text, "the recorder saw what runs on the host"
    assert b"env\0create" in text, "and what ran here"
    assert [n[:6] + "…" for n in needles if n.encode() in text] == []


def test_no_secret_in_logs_and_readable_files_of_a_host(own: Environment, needles: list[str]) -> None:
    """Journal, /var/log, command lines and files readable by other users; and no private key is readable by others."""
    assert search(own.lab, "h1", "search", needles) == []


def test_no_secret_in_logs_and_readable_files_of_the_operator(own: Environment, needles: list[str]) -> None:
    """Log files, kubeconfig and caches have no secret of a host.

    Tokens are in 0600 files only, never in the kubeconfig.
    """
    leaks = []
    password = Path(own.extra["RANCHERCTL_SUDO_PASSWORD_FILE"])
    logs = list(own.home.rglob("*.log"))
    assert logs, "the runs left logs to look at"
    for path in own.home.rglob("*"):
        if not path.is_file() or path == password:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        private = stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        if any(n in text for n in needles) and (not private or path in logs or path.name == "kubeconfig"):
            leaks.append(f"{path.relative_to(own.home)} {stat.S_IMODE(path.stat().st_mode):o}")
        if PRIVATE_KEY.search(text):
            leaks.append(f"{path.relative_to(own.home)} holds a private key")
    assert leaks == []
    kubeconfig = (own.home / "kubeconfig").read_text(encoding="utf-8")
    assert "token:" not in kubeconfig
    assert "client-key-data" not in kubeconfig
