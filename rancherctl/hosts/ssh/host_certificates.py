"""Host certificates: a host key certified by an authority of the known_hosts files (``@cert-authority``).

Source: PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import base64
import fnmatch
import time
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from rancherctl.errors import AuthError
from rancherctl.hosts.known_hosts import KnownHostsLine


def check_certificate(
    host: str, shown: tuple[str, bytes], lines: Iterable[KnownHostsLine], name: str, now: float | None = None
) -> bool:
    """Whether an authority of ``lines`` certified the key for ``name`` (without a port). ``shown``: type and bytes.

    False if none of them signed it: the key alone then decides. AuthError if one did, but the certificate is not valid.
    """
    kind, blob = shown
    try:
        found = load_ssh_public_identity(f"{kind} {base64.b64encode(blob).decode()}".encode())
        if not isinstance(found, SSHCertificate):
            return False
        raw = found.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        authority = tuple(raw.decode().split()[:2])
        signers = [line for line in lines if (line.key_type, line.key) == authority]
        signer = next((line for line in signers if line.authority), None)
        if signer is None:
            return False
        found.verify_cert_signature()
        problem = _problem(found, name, time.time() if now is None else now)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise AuthError(
            f"{host}: the host certificate is damaged",
            why=str(error) or type(error).__name__,
            hint="issue a new certificate for the host",
        ) from error
    if any(line.revoked for line in signers):
        problem = "its authority is revoked"
    if problem:
        raise AuthError(
            f"{host}: the host certificate is not valid",
            why=f"{problem}; its authority is {signer.file}:{signer.line}",
            hint="issue a new certificate for the host, or correct the line of the authority",
        )
    return True


def _problem(certificate: SSHCertificate, name: str, now: float) -> str:
    if certificate.type is not SSHCertificateType.HOST:
        return "it is a certificate for users, not for hosts"
    if not certificate.valid_after <= now < certificate.valid_before:
        return "it has expired" if now >= certificate.valid_before else "it is not valid yet"
    if certificate.critical_options:
        return "it has critical options, which host certificates do not have"
    names = [principal.decode("utf-8", "replace").lower() for principal in certificate.valid_principals]
    if names and not any(fnmatch.fnmatchcase(name.lower(), pattern.replace("[", "[[]")) for pattern in names):
        return f"it is for {', '.join(names)}, not for {name}"
    return ""
