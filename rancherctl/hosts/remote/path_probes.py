"""Probe network paths from where this code runs, and answer such probes. Standard library only; sent to hosts, too.

A probe is ``{"kind": …, "address": …, "port": …, "name": …}``, of the kind ``dns``, ``tcp``, ``tls`` or ``pod``;
``name`` is what a DNS probe asks for, or the host that a pod probe expects to answer ("" = any). A result is
``{"outcome": …, "detail": …}``. Outcomes: ``ok``, ``timeout`` (no answer), ``refused``, ``unreachable`` (an ICMP error
or a local refusal), ``short`` (connected, but the answer, longer than a packet, did not arrive), ``wrong`` (an answer
of something else), ``error`` (the probe itself failed).
"""

from __future__ import annotations

import concurrent.futures
import errno
import os
import socket
import struct
import threading
from collections.abc import Iterable
from typing import Any

PORT = 4240
"""Where a check endpoint answers: in a network namespace of its own, so it conflicts with nothing on the host."""
GREETING = "rancherctl pod path"
ANSWER_BYTES = 4000
"""More than two packets: a path on which large packets are lost fails the check."""
PARALLEL = 16
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.EPROTO, errno.ENOPROTOOPT)

Probe = dict[str, Any]


def result(outcome: str, detail: str = "") -> dict[str, str]:
    """The result of a probe."""
    return {"outcome": outcome, "detail": detail}


def failed(error: OSError) -> dict[str, str]:
    """The result of a probe that ended with this error."""
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return result("timeout", "no answer")
    text = (error.strerror or str(error)).lower()
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return result("refused", text)
    return result("unreachable" if error.errno in _UNREACHABLE else "error", text)


def dns_query(name: str, number: int) -> bytes:
    """A query for the A records of an absolute name. ValueError for a label that is empty or too long."""
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"not a valid name: {name[:80]!r}")
    question = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + question + struct.pack(">2H", 1, 1)


def _dns(probe: Probe, timeout: float) -> dict[str, str]:
    number = int.from_bytes(os.urandom(2))
    query = dns_query(probe["name"], number)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(timeout / 2)
        sock.connect((probe["address"], probe["port"]))
        for attempt in (1, 2):  # one packet may be lost
            sock.send(query)
            try:
                answer = sock.recv(4096)
            except TimeoutError:
                if attempt == 2:
                    raise
            else:
                break
    if len(answer) < 12 or answer[:2] != query[:2]:
        return result("wrong", "the answer is not one to the query")
    code = answer[3] & 0xF
    return result("ok") if code in (0, 3) else result("wrong", f"answers {_RCODES.get(code, f'with code {code}')}")


def _tcp(probe: Probe, timeout: float) -> dict[str, str]:
    socket.create_connection((probe["address"], probe["port"]), timeout).close()
    return result("ok")


def _tls(probe: Probe, timeout: float) -> dict[str, str]:
    """Whether any TLS server answers: a TCP proxy without servers accepts connections, too."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((probe["address"], probe["port"]), timeout) as sock,
        context.wrap_socket(sock),
    ):
        return result("ok")


def _pod(probe: Probe, timeout: float) -> dict[str, str]:
    with socket.create_connection((probe["address"], probe["port"]), timeout) as sock:
        data = b""
        try:
            while len(data) < ANSWER_BYTES and (more := sock.recv(ANSWER_BYTES)):
                data += more
        except TimeoutError:
            return result("short", f"connected, but only {len(data)} of {ANSWER_BYTES} bytes arrived")
    greeting, _, node = data.partition(b"\n")[0].decode("utf-8", "replace").partition(": ")
    if greeting != GREETING:
        return result("wrong", "something else answers")
    if probe.get("name") and node != probe["name"]:
        return result("wrong", f"host {node[:80]} answers")
    if len(data) < ANSWER_BYTES:
        return result("short", f"only {len(data)} of {ANSWER_BYTES} bytes arrived")
    return result("ok")


_KINDS = {"dns": _dns, "tcp": _tcp, "tls": _tls, "pod": _pod}


def run(probe: Probe, timeout: float) -> dict[str, str]:
    """Run one probe; it takes at most about twice ``timeout`` seconds."""
    try:
        return _KINDS[probe["kind"]](probe, timeout)
    except OSError as error:
        return failed(error)


def run_all(probes: Iterable[Probe], timeout: float) -> list[dict[str, str]]:
    """Run probes at the same time; results in their order."""
    listed = list(probes)
    if len(listed) < 2:
        return [run(probe, timeout) for probe in listed]
    with concurrent.futures.ThreadPoolExecutor(min(PARALLEL, len(listed)), thread_name_prefix="probe") as pool:
        return list(pool.map(lambda probe: run(probe, timeout), listed))


def answer_text(node: str) -> bytes:
    """What an endpoint sends to every client: the name of its host, filled up to ANSWER_BYTES."""
    return f"{GREETING}: {node}\n".encode().ljust(ANSWER_BYTES - 1, b".") + b"\n"


class Answerer:
    """Answers pod probes on a TCP address until closed. It reads nothing from its clients, and keeps none waiting."""

    def __init__(self, address: str, node: str, port: int = PORT) -> None:
        self._text = answer_text(node)
        self._socket = socket.create_server((address, port), backlog=64, reuse_port=False)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="answers", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError as error:
                if error.errno in (errno.ECONNABORTED, errno.EINTR):
                    continue
                return
            with client:
                client.setblocking(False)
                try:
                    client.send(self._text)  # fits into the buffer of a new connection
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    continue  # the client has gone

    def close(self) -> None:
        """Stop answering."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
        self._socket.close()
        self._thread.join(5.0)
