"""A server that speaks one protocol only: h2c, https (HTTP/1.1) or grpcs (HTTP/2). It says how it was spoken to."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.fakes.ports import free_port

_BINDS = {"h2c": "proto h2", "https": "ssl crt {pem} alpn http/1.1", "grpcs": "ssl crt {pem} alpn h2"}
_REQUEST = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -days 2"
_CONFIG = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind 127.0.0.1:{port} {bind}
  http-response set-header X-Spoken HTTP/%[fc_http_major],tls=%[ssl_fc]
  default_backend b
backend b
  server s 127.0.0.1:{behind}
"""


class _Trailers(socketserver.ThreadingTCPServer):
    """An HTTP/1.1 server whose answer has a chunked body and a trailer."""

    allow_reuse_address = daemon_threads = True


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            while line.strip():
                line = self.rfile.readline()
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n"
                b"5\r\nfine\n\r\n0\r\nGrpc-Status: 0\r\n\r\n"
            )


class ProtocolServer:
    """Runs until ``close``; ``endpoint`` is its address and port."""

    def __init__(self, folder: Path, protocol: str) -> None:
        folder.mkdir()
        self.endpoint = ("127.0.0.1", free_port())
        self._behind = _Trailers(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self._behind.serve_forever, args=(0.02,), daemon=True).start()
        pem = folder / "server.pem"
        if "ssl" in _BINDS[protocol]:
            subprocess.run(
                [*_REQUEST.split(), "-keyout", folder / "key", "-out", folder / "crt"],
                check=True,
                capture_output=True,
                timeout=60,
            )
            pem.write_text((folder / "crt").read_text() + (folder / "key").read_text())
        config = folder / "haproxy.cfg"
        bind = _BINDS[protocol].format(pem=pem)
        config.write_text(_CONFIG.format(port=self.endpoint[1], bind=bind, behind=self._behind.server_address[1]))
        self._process = subprocess.Popen(["haproxy", "-db", "-f", config], stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(self.endpoint) == 0:
                    return
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._behind.shutdown()
        self._behind.server_close()

    def __enter__(self) -> ProtocolServer:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
