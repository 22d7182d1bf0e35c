"""Certificates of an environment: find its authorities, plan each host's certificates, issue missing ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.environments.pki import authority as issuer
from rancherctl.environments.pki import hosts as pki_hosts
from rancherctl.environments.pki.authority import KeyPair
from rancherctl.environments.pki.leaves import AUTHORITIES, leaves
from rancherctl.environments.pki.wanted import (
    CONTROL_PLANE_FILES,
    CertChange,
    CertificateFolder,
    ObservedFile,
    authority_key,
    authority_path,
    changes,
    sha256,
    shared,
)
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport

PUBLIC = frozenset({places.CA, places.ETCD_CA, places.FRONT_CA, places.SA_PUB})


@dataclass(frozen=True, slots=True)
class Authorities:
    """The control plane's shared files, and which hosts have all of them; without such a host the environment is new.

    ``truth``: path → right sha256. ``signers``: authority → key identifier. ``public``: path → text of public files.
    """

    truth: Mapping[str, str]
    signers: Mapping[str, str]
    ca_hosts: tuple[str, ...] = ()
    """Control-plane hosts that answered and hold the authorities, in the file's order."""
    public: Mapping[str, str] = field(default_factory=dict)
    unknown: bool = False
    """Whether a control-plane host did not answer: it may hold the authorities, so no new ones may be made."""

    @property
    def ca_host(self) -> str:
        """The host to fetch the authorities from, "" if there is none."""
        return next(iter(self.ca_hosts), "")


def authorities(environment: Environment, folders: Mapping[str, CertificateFolder]) -> Authorities:
    """Which control-plane hosts hold the authorities. ConflictError if these are incomplete or contradictory. Pure."""
    required = {s.path for s in CONTROL_PLANE_FILES}
    ca_hosts: list[str] = []
    for host in environment.with_role("controlplane"):
        have: Mapping[str, ObservedFile | None] = folders[host.name].files if host.name in folders else {}
        if all(have.get(path) for path in required):
            ca_hosts.append(host.name)
        elif have.get(places.CA_KEY) and have.get(places.crt("apiserver")):
            missing = ", ".join(sorted(path for path in required if not have.get(path)))
            raise ConflictError(
                f"{host.name}: keys of the environment are missing: {missing}",
                why="with new ones its Secrets would be unreadable and its tokens invalid",
                hint="restore these files from a backup or from another control-plane host",
            )
    # without a CA host, a CA on a control-plane host comes from a first run that was interrupted before it signed
    # anything
    control_plane = {h.name for h in environment.with_role("controlplane")}
    others = [
        name
        for name, folder in folders.items()
        if folder.files.get(places.CA) and name not in (ca_hosts[:1] or control_plane)
    ]
    if not ca_hosts and not control_plane <= folders.keys():
        return Authorities({}, {}, unknown=True)
    if not ca_hosts and others:
        raise ConflictError(
            f"hosts {', '.join(sorted(others))} trust an authority whose key no control-plane host has",
            why="they belong to another environment, or its control-plane host was lost",
            hint="remove that environment from these hosts first (rancherctl env rm NAME),"
            " or restore its control-plane host",
        )
    if not ca_hosts:
        return Authorities({}, {})
    files = folders[ca_hosts[0]].files
    truth = {path: found.sha256 for path in required if (found := files.get(path))}
    public = {path: found.text for path in PUBLIC if (found := files.get(path))}
    foreign = [n for n in others if (seen := folders[n].files.get(places.CA)) and seen.sha256 != truth[places.CA]]
    if foreign:
        raise ConflictError(
            f"hosts {', '.join(sorted(foreign))} belong to another environment:"
            f" they trust another authority than {ca_hosts[0]}",
            hint="remove that environment from these hosts first (rancherctl env rm NAME)",
        )
    return Authorities(
        truth, {a: authority_key(public[authority_path(a)]) for a in AUTHORITIES}, tuple(ca_hosts), public
    )


def plan(
    environment: Environment, host: Host, folder: CertificateFolder, known: Authorities, now: datetime
) -> tuple[CertChange, ...]:
    """Certificates and shared files that one host needs."""
    is_new = not known.ca_hosts and not known.unknown
    return changes(environment, host, folder, truth=known.truth, signers=known.signers, now=now, is_new=is_new)


def fetch_material(ca_host: Transport) -> dict[str, Secret]:
    """All shared files by path, fetched into memory from a host that holds them."""
    return pki_hosts.fetch(ca_host, [s.path for s in CONTROL_PLANE_FILES])


def new_material(environment: Environment, now: datetime) -> dict[str, Secret]:
    """All shared files by path, made in memory for a new environment.

    Call it only if ``Authorities.unknown`` is False: otherwise a host that was not observed may hold them.
    """
    out: dict[str, Secret] = {}
    for name in AUTHORITIES:
        pair = issuer.new_authority(name, environment.name, now)
        out[f"{places.PKI}/{name}.crt"], out[f"{places.PKI}/{name}.key"] = Secret(pair.crt), pair.key
    pair = issuer.new_service_account_keys()
    out[places.SA_PUB], out[places.SA_KEY] = Secret(pair.crt), pair.key
    out[places.ENCRYPTION] = issuer.new_encryption_config()
    return out


def pair_of(shared_files: Mapping[str, Secret], authority: str) -> KeyPair:
    """The key pair of an authority among the shared files."""
    return KeyPair(str(shared_files[f"{places.PKI}/{authority}.crt"]), shared_files[f"{places.PKI}/{authority}.key"])


def apply(
    transport: Transport,
    environment: Environment,
    host: Host,
    wanted: tuple[CertChange, ...],
    *,
    shared_files: Mapping[str, Secret],
    now: datetime,
) -> None:
    """Install one host's missing shared files and certificates in at most three round trips; keys stay on the host."""
    items = {s.path: s for s in shared(host)}
    files = [
        (c.path, str(shared_files[c.path]), items[c.path].mode, items[c.path].owner)
        for c in wanted
        if c.kind == "authority"
    ]
    pki_hosts.install(transport, files)
    names = {c.name for c in wanted if c.kind == "certificate"}
    chosen = [leaf for leaf in leaves(environment, host) if leaf.name in names]
    if not chosen:
        return
    csrs = pki_hosts.requests(transport, chosen)
    if absent := sorted(leaf.name for leaf in chosen if not isinstance(csrs.get(leaf.name), str)):
        raise RancherctlError(
            f"{host.name}: it made no requests for {', '.join(absent)}", hint="check openssl on the host"
        )
    signed = [
        (leaf.crt, issuer.sign(leaf, csrs[leaf.name], pair_of(shared_files, leaf.authority), now), 0o644, "root:root")
        for leaf in chosen
    ]
    pki_hosts.install(transport, signed)


def known_after(shared_files: Mapping[str, Secret], ca_hosts: tuple[str, ...]) -> Authorities:
    """The authorities once they are made and stored on these hosts."""
    truth = {path: sha256(str(text)) for path, text in shared_files.items()}
    public = {path: str(shared_files[path]) for path in PUBLIC}
    return Authorities(truth, {a: authority_key(public[authority_path(a)]) for a in AUTHORITIES}, ca_hosts, public)
