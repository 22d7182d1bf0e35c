"""The certificates that one host has on its disk: what somebody who takes the disk gets. Pure except ``read``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.contract import INGRESS_USER
from rancherctl.hosts import remote_call
from rancherctl.hosts.transport import Transport
from rancherctl.ingress.copies import read_copy
from rancherctl.ingress.haproxy.crt_list import CrtLine
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.operator import certificate_details
from rancherctl.ingress.operator.certificate_details import CertificateDetails
from rancherctl.ingress.operator.certificates import NO_DETAILS, Item, Problem, Use, of_certificate, plain, replacing
from rancherctl.kube.objects import TlsSecret

PROGRAM: Final = "rancherctl.ingress.remote"
MODE: Final = 0o640
OWNER: Final = f"root:{INGRESS_USER}"


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """One file. ``error`` says why it could not be read; then nothing else is known."""

    name: str
    mode: int = MODE
    owner: str = OWNER
    content: str = ""
    key: bool = True
    certificate: str = field(default="", repr=False)
    error: str = ""


@dataclass(frozen=True, slots=True)
class HostCertificates:
    """The files of a host, and what its agent has noted: secret → content, content → names that clients ask for.

    ``problem`` says why the notes could not be read.
    """

    files: tuple[CertificateFile, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: str = ""


def read(transport: Transport, data: str = Paths().data) -> HostCertificates:
    """Ask a host for what its load balancer has below the folder ``data``; keys stay there."""
    paths = Paths(data)
    request = {"op": "certificates", "folder": paths.certificates, "state": paths.state}
    return parse(remote_call.call(transport, request, module=PROGRAM))


def parse(answer: Mapping[str, Any]) -> HostCertificates:
    """The answer of the host's program."""
    notes = answer["state"]
    names: dict[str, list[str]] = {}
    for content, *listed in notes.get("lines", ()):
        line = CrtLine.from_json(content, *listed)
        names.setdefault(content, []).extend(line.ids)
    return HostCertificates(
        tuple(CertificateFile(**file) for file in answer["files"]),
        {str(k): str(v) for k, v in notes.get("secrets", {}).items()},
        {content: tuple(listed) for content, listed in names.items()},
        str(notes.get("error", "")),
    )


def of_copies(copies: Iterable[TlsSecret]) -> HostCertificates:
    """The files that a host would have of these copies in its namespace, for a host that cannot be asked."""
    secrets: dict[str, str] = {}
    files: dict[str, CertificateFile] = {}
    for source, copy in filter(None, map(read_copy, copies)):
        if copy.pair is not None:
            secrets[source] = copy.content
            files[copy.content] = CertificateFile(
                f"{copy.content}.pem", content=copy.content, certificate=copy.pair.chain
            )
    return HostCertificates(tuple(files[content] for content in sorted(files)), secrets)


def rows(host: HostCertificates, uses: Mapping[str, Use], now: float, warn_days: int) -> list[Item]:
    """One row for each file, in the order of names. ``uses``: secret → the Ingresses that use it."""
    return [_row(host, file, uses, now, warn_days) for file in host.files]


def _row(host: HostCertificates, file: CertificateFile, uses: Mapping[str, Use], now: float, warn_days: int) -> Item:
    secrets = sorted(secret for secret, content in host.secrets.items() if content == file.content)
    found, problem = _details(file)
    problems = [problem] if problem else list(_problems(file, found, secrets, now, warn_days))
    return {
        "file": file.name,
        "secrets": secrets,
        "ingresses": sorted({key for secret in secrets if secret in uses for key in uses[secret].ingresses}),
        "names": sorted(host.names.get(file.content, ())),
        "certificate_names": [],
        **(certificate_details.item(found, now) if found else NO_DETAILS),
        "has_key": file.key and not file.error,
        "mode": f"{file.mode:04o}",
        "owner": file.owner,
        "problems": [plain(p) for p in problems],
    }


def _details(file: CertificateFile) -> tuple[CertificateDetails | None, Problem | None]:
    if file.error:
        return None, Problem("FileUnreadable", f"the file cannot be read: {file.error}", "check the disk of the host")
    try:
        lines = file.certificate.splitlines()[1:-1]
        return certificate_details.details(base64.b64decode("".join(lines), validate=True)), None
    except (ValueError, binascii.Error):
        what = "a private key without a certificate" if file.key else "no certificate"
        return None, Problem("FileUnknown", f"the file has {what}", "find out who wrote it, then remove it")


def _problems(
    file: CertificateFile, found: CertificateDetails | None, secrets: Iterable[str], now: float, warn_days: int
) -> Iterable[Problem]:
    listed = list(secrets)
    if file.mode & ~MODE or file.owner != OWNER:
        message = f"the file has mode {file.mode:04o} and owner {file.owner}, not {MODE:04o} and {OWNER}"
        yield Problem("FileMode", message, "replace the certificate: others on the host may have read its key")
    if not listed:
        yield Problem(
            "FileUnused", "no secret of this host has this content", "the agent removes it; see rancherctl env status"
        )
    if found is not None:
        replace = replacing(listed[0]) if listed else "remove it"
        yield from of_certificate(found, (), now, warn_days, replace)
