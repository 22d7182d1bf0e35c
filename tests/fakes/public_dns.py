"""A real named on a loopback port that is the public DNS of a federation, for contract tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from rancherctl.federation.providers.tsig import TsigKey, parse_key
from tests.fakes.ports import free_port

ZONE = "acme.example"
KEYS = {f"acme-{bits}": f"hmac-sha{bits}" for bits in (256, 384, 512)}


class PublicDns:
    """One server with one zone; ``options`` are more lines of the zone's statement.

    ``transfer`` and ``update``: who may do it, in the words of named.conf (None: the keys).
    """

    def __init__(
        self, folder: Path, *, transfer: str | None = None, update: str | None = None, port: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.keys: dict[str, TsigKey] = {}
        self._transfer, self._update = transfer, update
        text = ""
        for name, algorithm in KEYS.items():
            made = subprocess.run(["tsig-keygen", "-a", algorithm, name], check=True, capture_output=True, text=True)
            text += made.stdout
            self.keys[name] = parse_key(made.stdout)
        (folder / "keys.conf").write_text(text)
        self.key = self.keys["acme-256"]
        (folder / "zone.db").write_text(
            f"$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns1 admin 1 3600 600 86400 60\n@ NS ns1\n@ NS ns2\n"
            "ns1 A 127.0.0.1\nns2 A 127.0.0.1\nmail A 192.0.2.25\nmail MX 10 mail\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def share_keys(self, other: PublicDns) -> None:
        """Use the keys of another server."""
        (self.folder / "keys.conf").write_text((other.folder / "keys.conf").read_text())
        self.keys, self.key = other.keys, other.key

    def start(self) -> None:
        """Write the configuration, start, and wait until the port accepts (bounded)."""
        every = " ".join(f"key {name};" for name in KEYS)
        (self.folder / "named.conf").write_text(
            f'include "{self.folder}/keys.conf";\n'
            f'options {{ directory "{self.folder}"; listen-on port {self.port} {{ 127.0.0.1; }};'
            " listen-on-v6 { none; };"
            f' pid-file none; session-keyfile "{self.folder}/session.key"; recursion no; allow-transfer {{ none; }};'
            " dnssec-validation no; minimal-responses yes; notify no; };\n"
            "controls {};\n"
            f'zone "{ZONE}" {{ type primary; file "{self.folder}/zone.db";'
            f" allow-update {{ {every if self._update is None else self._update} }};"
            f" allow-transfer {{ {every if self._transfer is None else self._transfer} }}; }};\n"
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["named", "-f", "-n", "1", "-c", str(self.folder / "named.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError(f"named did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """SIGTERM and wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; after SIGSTOP no thread of the server runs any more."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def dig(self, name: str, kind: str = "A") -> list[str]:
        """The lines of ``dig +short``."""
        command = ["dig", "+short", "+tries=1", "@127.0.0.1", "-p", str(self.port), name, kind]
        return sorted(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    def edit(self, *lines: str) -> None:
        """Change the zone as another program would: commands of nsupdate."""
        text = "\n".join((f"server 127.0.0.1 {self.port}", f"zone {ZONE}.", *lines, "send", ""))
        command = ["nsupdate", "-k", str(self.key_file())]
        subprocess.run(command, input=text, check=True, capture_output=True, text=True)

    def key_file(self) -> Path:
        """A file with ``key`` alone, as programs take it."""
        path = self.folder / "one.key"
        text = (self.folder / "keys.conf").read_text()
        path.write_text(text[: text.index("};") + 3])
        return path
