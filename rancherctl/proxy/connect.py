"""TCP connections to an API server, directly or through a proxy: CONNECT of HTTP and HTTPS proxies, and SOCKS5."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rancherctl.errors import UnreachableError
from rancherctl.net import join_host_port, parse_ip
from rancherctl.proxy.choice import Proxy
from rancherctl.proxy.relay import relayed
from rancherctl.trust import client_context

LARGEST_ANSWER: Final = 1 << 16
KEEPALIVE: Final = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
"""Detects a peer that vanished silently after about 30 s. Linux has all these options, other systems some."""
_SOCKS_FAILURES: Final = {
    1: "general failure",
    2: "its rules do not allow the connection",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
}
"""Reply codes of RFC 1928."""
_NO_METHOD: Final = 255


class _RefusedError(Exception):
    """The proxy does not connect; the text is its reason."""


@dataclass(frozen=True, slots=True)
class _Talk:
    """A connection to a proxy whose every step ends at ``deadline`` (monotonic seconds)."""

    sock: socket.socket
    deadline: float

    def left(self) -> float:
        return max(0.001, self.deadline - time.monotonic())

    def send(self, data: bytes) -> None:
        self.sock.settimeout(self.left())
        self.sock.sendall(data)

    def receive(self, count: int) -> bytes:
        """Exactly ``count`` bytes: what follows belongs to the API server."""
        data = b""
        while len(data) < count:
            self.sock.settimeout(self.left())
            part = self.sock.recv(count - len(data))
            if not part:
                raise _RefusedError("it closed the connection")
            data += part
        return data


def connect(
    host: str, port: int, proxy: Proxy | None, seconds: float, *, ca: Path | bytes | None = None
) -> socket.socket:
    """A connection to an API server that was made within ``seconds``.

    OSError if a direct connection fails; UnreachableError, which names the proxy and where it is set, if the proxy
    does not connect. ``ca``: an HTTPS proxy may have a certificate of the cluster's CA, as with kubectl.
    """
    if proxy is None:
        return _tuned(socket.create_connection((host, port), seconds))
    deadline = time.monotonic() + seconds
    name = f"the proxy {join_host_port(proxy.host, proxy.port)} ({proxy.origin})"
    try:
        host = host.encode("idna").decode() if parse_ip(host) is None else host
    except UnicodeError as error:
        raise UnreachableError(f"{host} is not a host name", why=str(error)) from error
    target = join_host_port(host, port)
    try:
        sock = _tuned(socket.create_connection((proxy.host, proxy.port), seconds))
    except OSError as error:
        raise UnreachableError(
            f"cannot connect to {name}", why=_reason(error, seconds), hint=_hint("", proxy)
        ) from error
    try:
        talk = _Talk(sock, deadline)
        if proxy.scheme == "socks5":
            _socks5(talk, proxy, host, port)
        else:
            if proxy.scheme == "https":
                sock.settimeout(talk.left())
                sock = _context(ca).wrap_socket(sock, server_hostname=proxy.host)
                talk = _Talk(sock, deadline)
            _http_connect(talk, proxy, target)
        if isinstance(sock, ssl.SSLSocket):
            sock = relayed(sock)
    except (OSError, _RefusedError) as error:
        sock.close()
        why = str(error) if isinstance(error, _RefusedError) else _reason(error, seconds)
        raise UnreachableError(f"{name} does not connect to {target}", why=why, hint=_hint(why, proxy)) from error
    except BaseException:
        sock.close()
        raise
    sock.settimeout(seconds)
    return sock


def proxy_headers(proxy: Proxy) -> dict[str, str]:
    """The header with the credentials for an HTTP proxy, if there are any."""
    if not proxy.user and not proxy.password:
        return {}
    pair = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {pair}"}


def _http_connect(talk: _Talk, proxy: Proxy, target: str) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{k}: {v}" for k, v in proxy_headers(proxy).items())]
    talk.send(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    answer = b""
    # Byte by byte, because what follows the head belongs to the API server; it is some hundred bytes a connection.
    while not answer.endswith(b"\r\n\r\n") and len(answer) < LARGEST_ANSWER:
        answer += talk.receive(1)
    status = answer.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2].strip()
    if not answer.startswith(b"HTTP/") or not answer.endswith(b"\r\n\r\n"):
        raise _RefusedError("its answer is not HTTP")
    if not status.startswith("2"):
        raise _RefusedError("".join(c for c in status if c.isprintable())[:200] or "an answer without a status")


def _socks5(talk: _Talk, proxy: Proxy, host: str, port: int) -> None:
    """The requests of RFC 1928 and 1929; names are resolved by the proxy, as with kubectl."""
    user, password = proxy.user.encode(), proxy.password.encode()
    methods = b"\x00\x02" if user else b"\x00"
    talk.send(bytes([5, len(methods)]) + methods)
    version, method = talk.receive(2)
    if version != 5:
        raise _RefusedError("its answer is not SOCKS5")
    if method == _NO_METHOD:
        raise _RefusedError(
            "it accepts neither no sign-in nor a password" if user else "it requires a user name and a password"
        )
    if method == 2:
        talk.send(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if talk.receive(2)[1]:
            raise _RefusedError("it does not accept the user name and the password")
    ip = parse_ip(host)
    name = host.encode() if ip is None else b""
    address = bytes([3, len(name)]) + name if ip is None else bytes([1 if ip.version == 4 else 4]) + ip.packed
    talk.send(b"\x05\x01\x00" + address + port.to_bytes(2, "big"))
    _, reply, _, kind = talk.receive(4)
    if reply:
        raise _RefusedError(_SOCKS_FAILURES.get(reply, f"SOCKS5 reply {reply}"))
    length = {1: 4, 4: 16}.get(kind)
    talk.receive((talk.receive(1)[0] if length is None else length) + 2)


def _context(ca: Path | bytes | None) -> ssl.SSLContext:
    context = client_context()
    if isinstance(ca, Path):
        context.load_verify_locations(cafile=ca)
    elif ca:
        context.load_verify_locations(cadata=ca.decode("ascii", "replace"))
    return context


def _tuned(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock


def _hint(why: str, proxy: Proxy) -> str:
    if why.startswith("407") or "user name and" in why:
        port = f"{join_host_port(proxy.host, proxy.port)}"
        return f"put a valid user name and password into {proxy.origin}: {proxy.scheme}://USER:PASSWORD@{port}"
    if "certificate" in why:
        return "SSL_CERT_FILE names a file with the authority of the proxy's certificate"
    if proxy.origin.lower().endswith("_proxy"):
        return "if the API server is reachable without the proxy, add its address to NO_PROXY"
    return f"correct {proxy.origin}, or remove it if the API server is reachable without the proxy"


def _reason(error: OSError, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message or error}"
    return error.strerror or str(error)
