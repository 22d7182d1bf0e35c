"""Which certificates and shared files a host should have, and what is wrong with existing ones. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.environments.pki.leaves import KUBE, ROOT, Authority, Leaf, leaves
from rancherctl.hosts.model import Host

if TYPE_CHECKING:
    from cryptography import x509

RENEW_BELOW = 0.3
"""A leaf is renewed if less than this part of its lifetime is left."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file with the same content on several hosts: an authority's certificate or key, keys of the control plane."""

    path: str
    secret: bool
    owner: str = ROOT

    @property
    def mode(self) -> int:
        """0600 for secrets."""
        return 0o600 if self.secret else 0o644


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """One file of a host; ``text`` is read of public files only."""

    sha256: str
    mode: int
    owner: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class CertificateFolder:
    """What was observed on a host: files by path (None = absent), sha256 of each key's public part ("" = no key)."""

    files: Mapping[str, ObservedFile | None]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CertChange:
    """One certificate or shared file to write: name of the leaf or file, its path, and the reason in a few words."""

    kind: Literal["certificate", "authority"]
    name: str
    path: str
    verb: Literal["create", "update"]
    why: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed certificate; validity in unix seconds."""

    name: str
    subject: str
    not_before: float
    not_after: float
    issuer_key: str
    names: frozenset[str] = field(default_factory=frozenset)
    public: str = ""

    def left(self, now: datetime) -> float:
        """The part of its lifetime that is left, 0 to 1."""
        return max(0.0, (self.not_after - now.timestamp()) / max(1.0, self.not_after - self.not_before))

    def days(self, now: datetime) -> float:
        """Days left; negative if expired."""
        return (self.not_after - now.timestamp()) / 86400


CONTROL_PLANE_FILES: Final = (
    SharedFile(places.CA, False),
    SharedFile(places.ETCD_CA, False),
    SharedFile(places.CA_KEY, True, KUBE),
    SharedFile(places.ETCD_CA_KEY, True),
    SharedFile(places.FRONT_CA, False),
    SharedFile(places.FRONT_CA_KEY, True),
    SharedFile(places.SA_PUB, False),
    SharedFile(places.SA_KEY, True, KUBE),
    SharedFile(places.ENCRYPTION, True, KUBE),
)
"""Every control-plane host has all of them."""


def shared(host: Host) -> tuple[SharedFile, ...]:
    """The shared files that a host needs; only control-plane hosts get keys."""
    if host.is_a("controlplane"):
        return CONTROL_PLANE_FILES
    trusted = {places.CA, places.ETCD_CA} if host.is_a("etcd") else {places.CA}
    return tuple(s for s in CONTROL_PLANE_FILES if s.path in trusted)


def authority_path(authority: Authority) -> str:
    """Path of an authority's certificate."""
    return f"{places.PKI}/{authority}.crt"


def paths(environment: Environment, host: Host) -> tuple[list[str], list[str]]:
    """Paths of (files, keys) to observe on a host."""
    wanted = leaves(environment, host)
    return [s.path for s in shared(host)] + [leaf.crt for leaf in wanted] + [leaf.key for leaf in wanted], [
        leaf.key for leaf in wanted
    ]


def changes(
    environment: Environment,
    host: Host,
    folder: CertificateFolder,
    *,
    truth: Mapping[str, str],
    signers: Mapping[str, str],
    now: datetime,
    is_new: bool = False,
) -> tuple[CertChange, ...]:
    """What is missing or wrong on a host.

    ``truth``: path of a shared file → right sha256 (no entry: it does not exist yet). ``signers``: authority → key
    identifier. ``is_new``: all shared files will be made, so those of an interrupted run are replaced: they are useful
    only together.
    """
    out = []
    for item in shared(host):
        have, right = folder.files.get(item.path), truth.get(item.path)
        why = "left by an interrupted first run" if is_new and have else _shared_problem(item, have, right)
        if why:
            out.append(
                CertChange("authority", item.path.rpartition("/")[2], item.path, "update" if have else "create", why)
            )
    for leaf in leaves(environment, host):
        why = leaf_problem(leaf, folder, signers.get(leaf.authority, ""), now)
        if why:
            out.append(
                CertChange(
                    "certificate", leaf.name, leaf.crt, "update" if folder.files.get(leaf.crt) else "create", why
                )
            )
    return tuple(out)


def _shared_problem(item: SharedFile, have: ObservedFile | None, right: str | None) -> str:
    if have is None:
        return "missing"
    if right is not None and have.sha256 != right:
        return "differs from the other hosts"
    return (
        ""
        if (have.mode, have.owner) == (item.mode, item.owner)
        else f"mode {have.mode:04o} {have.owner}, not {item.mode:04o} {item.owner}"
    )


def leaf_problem(leaf: Leaf, folder: CertificateFolder, authority_key: str, now: datetime) -> str:
    """Why a leaf must be signed (again), "" if it is good."""
    have, key = folder.files.get(leaf.crt), folder.keys.get(leaf.key, "")
    if have is None or not key:
        return "missing" if have is None else "its key is missing"
    certificate = parse(leaf.name, have.text)
    if certificate is None:
        return "cannot be read"
    checks = (
        (certificate.public == key, "does not belong to its key"),
        (not authority_key or certificate.issuer_key == authority_key, "signed by another authority"),
        (
            certificate.left(now) >= (0.0 if leaf.self_renewed else RENEW_BELOW),
            f"{certificate.days(now):.0f} days left",
        ),
        (certificate.subject == subject(leaf), f"is for {certificate.subject}, not {subject(leaf)}"),
        (certificate.names == frozenset((*leaf.names, *leaf.addresses)), "names differ"),
        (_key_is_private(folder, leaf), "its key can be read by others"),
    )
    return next((why for passed, why in checks if not passed), "")


def _key_is_private(folder: CertificateFolder, leaf: Leaf) -> bool:
    key = folder.files.get(leaf.key)
    return key is not None and (key.mode, key.owner) == (0o600, leaf.owner)


def subject(leaf: Leaf) -> str:
    """``CN[, O]``, which is compared and shown."""
    return f"{leaf.common_name}, {leaf.organization}" if leaf.organization else leaf.common_name


def sha256(text: str) -> str:
    """sha256 of a text in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse(name: str, pem: str) -> Certificate | None:
    """Parse a certificate from PEM text; None if it is invalid."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        crt = x509.load_pem_x509_certificate(pem.encode())
        return _certificate(name, crt)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _certificate(name: str, crt: x509.Certificate) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import NameOID

    der = crt.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    parts = [
        str(a.value)
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
        for a in crt.subject.get_attributes_for_oid(oid)
    ]
    try:
        names = crt.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        alternatives = {
            *names.get_values_for_type(x509.DNSName),
            *(str(a) for a in names.get_values_for_type(x509.IPAddress)),
        }
    except x509.ExtensionNotFound:
        alternatives = set()
    return Certificate(
        name,
        ", ".join(parts),
        crt.not_valid_before_utc.timestamp(),
        crt.not_valid_after_utc.timestamp(),
        _identifier(crt, x509.AuthorityKeyIdentifier),
        frozenset(alternatives),
        hashlib.sha256(der).hexdigest(),
    )


def _identifier(
    crt: x509.Certificate, kind: type[x509.AuthorityKeyIdentifier] | type[x509.SubjectKeyIdentifier]
) -> str:
    from cryptography import x509

    try:
        value = crt.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return ""
    return (value.key_identifier or b"").hex() if isinstance(value, x509.AuthorityKeyIdentifier) else value.digest.hex()


def apply_in(certificate: Certificate, now: datetime) -> float:
    """Days until an apply renews it; 0 if the next one does."""
    life = (certificate.not_after - certificate.not_before) / 86400
    return round(max(0.0, certificate.days(now) - RENEW_BELOW * life), 1)


def authority_key(pem: str) -> str:
    """The key identifier in this authority's leaves; "" if the text is not a certificate."""
    from cryptography import x509

    try:
        return _identifier(x509.load_pem_x509_certificate(pem.encode()), x509.SubjectKeyIdentifier)
    except ValueError:
        return ""
