"""A real named on loopback ports for contract tests: our own configuration text, started and stopped by the test."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from rancherctl.dns import named_conf
from rancherctl.dns.model import DnsHostConfig
from tests.fakes.ports import free_port

TREES = Path("/var/cache/rancherctl/trees")
"""Root file systems of lab hosts."""


def program_9_20() -> tuple[str, ...]:
    """The BIND 9.20 of lab hosts with Debian 13, run here with its own libraries; () if there is none."""
    for named in sorted(TREES.glob("debian13-full-*/usr/sbin/named")):
        tree = named.parents[2]
        loader = tree / "usr/lib64/ld-linux-x86-64.so.2"
        if loader.exists():
            return (str(loader), "--library-path", str(tree / "usr/lib/x86_64-linux-gnu"), str(named))
    return ()


class Named:
    """Satisfies dns.daemon.Daemon. ``program``: how to run named."""

    def __init__(self, folder: Path, *, program: tuple[str, ...] = ("named",), **settings: object) -> None:
        self._program = program
        (folder / "etc").mkdir(parents=True)
        (folder / "data").mkdir()
        ports = {"port": free_port(), "control_port": free_port(), "stats_port": free_port()}
        base = {"node": "h1", "addresses": ("127.0.0.1",), "etc": str(folder / "etc"), "data": str(folder / "data")}
        self.config = DnsHostConfig(**{**base, **ports, **settings})  # type: ignore[arg-type]
        self.data = folder / "data"
        (folder / "etc/named.conf").write_text(named_conf.named_conf(self.config))
        Path(self.config.key_file).write_bytes(
            subprocess.run(["tsig-keygen", "-a", "hmac-sha256", "rancherctl"], check=True, capture_output=True).stdout
        )
        if not Path(self.config.forwarders_file).exists():
            Path(self.config.forwarders_file).write_text(named_conf.forwarders(self.config.upstreams))
        if not Path(self.config.stubs_file).exists():
            Path(self.config.stubs_file).write_text(named_conf.stub_zones(self.config.stub_domains))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.reloads = 0

    def start(self) -> None:
        """Start and wait until the control port accepts (bounded)."""
        (self.data / named_conf.STARTS).unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._program, "-f", "-n", "2", "-c", str(self._folder / "etc/named.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.starts += 1
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.config.control_port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError(f"named did not start: {self.log()[-2000:]}")

    def stop(self) -> None:
        """SIGTERM and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL and wait."""
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """SIGHUP."""
        assert self._process is not None
        self.reloads += 1
        words, deadline = self.data / named_conf.STARTS, time.monotonic() + 120
        # A process that has no handler yet would die of the signal (systemd would start it again).
        while self._process.poll() is None and time.monotonic() < deadline:
            # What is said of damaged files has their octets in it.
            if words.exists() and "running" in words.read_text(errors="replace"):
                break
            time.sleep(0.01)
        self._process.send_signal(signal.SIGHUP)

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(120)

    def log(self) -> str:
        """What it has logged so far."""
        return (self._folder / "log").read_text(errors="replace")


def without_policy(text: str) -> str:
    """The configuration as release 0.1 wrote it."""
    text = re.sub(r"    response-policy \{.*?\} [^}]*?;\n", "", text, flags=re.DOTALL)
    return re.sub(r'zone "reverse\.rpz" \{.*?\n\};\n', "", text, flags=re.DOTALL)
