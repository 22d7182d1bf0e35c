"""HTTPS to one address with the name of a host, as a client that accepts any certificate and remembers it."""

from __future__ import annotations

import http.client
import ssl
from typing import Final

from rancherctl.ingress.options import HTTPS_PORT

NO_CLIENT_CERTIFICATE: Final = "clients need a certificate, which this check does not have"
_REASONS: Final = {
    "TLSV1_UNRECOGNIZED_NAME": "the host has no certificate for this name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": NO_CLIENT_CERTIFICATE,
    "TLSV1_ALERT_PROTOCOL_VERSION": "no common version of TLS",
    "WRONG_VERSION_NUMBER": "the port does not speak TLS",
    "UNEXPECTED_EOF_WHILE_READING": "the connection was closed during the handshake",
}


class TlsConnection(http.client.HTTPConnection):
    """``shown`` is the certificate (DER) that the address showed, b"" before a handshake.

    Whether it is trusted is for clients to decide.
    """

    def __init__(self, address: str, name: str, timeout: float, port: int = HTTPS_PORT) -> None:
        super().__init__(address, port, timeout=timeout)
        self._name = name
        self.shown = b""

    def connect(self) -> None:
        """Connect, then shake hands."""
        super().connect()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        stream = context.wrap_socket(self.sock, server_hostname=self._name)
        self.sock, self.shown = stream, stream.getpeercert(binary_form=True) or b""


def failure(error: Exception) -> str:
    """Why a connection or handshake failed, for people."""
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or "")
        return _REASONS.get(reason) or f"handshake refused ({reason.lower().replace('_', ' ') or error})"
    return str(error)
