"""Certificates of the whole environment: observe all hosts, plan, and make what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.environments.pki import authority as make
from rancherctl.environments.pki import hosts as remote
from rancherctl.environments.pki.authority import KeyPair
from rancherctl.environments.pki.leaves import AUTHORITIES, leaves
from rancherctl.environments.pki.wanted import (
    CONTROL_PLANE_FILES,
    CertChange,
    Folder,
    Found,
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
    """What the control plane shares: right sha256 by path, key identifier by authority, and which hosts hold all of it.

    Without such a host the environment is new.
    """

    truth: Mapping[str, str]
    signers: Mapping[str, str]
    ca_hosts: tuple[str, ...] = ()
    """Control-plane hosts that answered and hold the authorities, in the file's order."""
    public: Mapping[str, str] = field(default_factory=dict)
    unknown: bool = False
    """Whether a control-plane host did not answer: nothing may be made, for it may hold the authorities."""

    @property
    def ca_host(self) -> str:
        """The host to fetch the authorities from, "" if there is none."""
        return next(iter(self.ca_hosts), "")


def authorities(environment: Environment, folders: Mapping[str, Folder]) -> Authorities:
    """Which control-plane hosts hold the authorities. ConflictError if they exist but are incomplete or contradict each other. Pure."""
    wanted = {s.path for s in CONTROL_PLANE_FILES}
    ca_hosts: list[str] = []
    for host in environment.with_role("controlplane"):
        have: Mapping[str, Found | None] = folders[host.name].files if host.name in folders else {}
        if all(have.get(path) for path in wanted):
            ca_hosts.append(host.name)
        elif have.get(places.CA_KEY) and have.get(places.crt("apiserver")):
            missing = ", ".join(sorted(path for path in wanted if not have.get(path)))
            raise ConflictError(
                f"{host.name}: keys that the environment was built on are missing: {missing}",
                why="making new ones would make its Secrets and tokens unreadable",
                hint="put these files back from a backup or from another control-plane host",
            )
    # without a CA host, a CA on a control-plane host was left by a first run that was interrupted before it signed anything
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
            hint="remove that environment from these hosts first (rancherctl env rm NAME), or restore its control-plane host",
        )
    if not ca_hosts:
        return Authorities({}, {})
    files = folders[ca_hosts[0]].files
    truth = {path: found.sha256 for path in wanted if (found := files.get(path))}
    public = {path: found.text for path in PUBLIC if (found := files.get(path))}
    foreign = [n for n in others if (seen := folders[n].files.get(places.CA)) and seen.sha256 != truth[places.CA]]
    if foreign:
        raise ConflictError(
            f"hosts {', '.join(sorted(foreign))} belong to another environment: they trust another authority than {ca_hosts[0]}",
            hint="remove that environment from these hosts first (rancherctl env rm NAME)",
        )
    return Authorities(
        truth, {a: authority_key(public[authority_path(a)]) for a in AUTHORITIES}, tuple(ca_hosts), public
    )


def plan(
    environment: Environment, host: Host, folder: Folder, known: Authorities, now: datetime
) -> tuple[CertChange, ...]:
    """What has to be made on one host."""
    anew = not known.ca_hosts and not known.unknown
    return changes(environment, host, folder, truth=known.truth, signers=known.signers, now=now, anew=anew)


def fetch_material(ca_host: Transport) -> dict[str, Secret]:
    """All shared files by path, fetched into memory from a host that holds them."""
    return remote.fetch(ca_host, [s.path for s in CONTROL_PLANE_FILES])


def new_material(environment: Environment, now: datetime) -> dict[str, Secret]:
    """All shared files by path, newly made in memory for a new environment.

    Call it only if ``Authorities.unknown`` is False: otherwise a host that was not observed may hold them.
    """
    out: dict[str, Secret] = {}
    for name in AUTHORITIES:
        pair = make.new_authority(name, environment.name, now)
        out[f"{places.PKI}/{name}.crt"], out[f"{places.PKI}/{name}.key"] = Secret(pair.crt), pair.key
    pair = make.new_service_account_keys()
    out[places.SA_PUB], out[places.SA_KEY] = Secret(pair.crt), pair.key
    out[places.ENCRYPTION] = make.new_encryption_config()
    return out


def pair_of(shared_files: Mapping[str, Secret], authority: str) -> KeyPair:
    """An authority out of the shared files."""
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
    """Make one host's missing shared files and certificates: three round trips at most, keys stay there."""
    items = {s.path: s for s in shared(host)}
    files = [
        (c.path, str(shared_files[c.path]), items[c.path].mode, items[c.path].owner)
        for c in wanted
        if c.kind == "authority"
    ]
    remote.install(transport, files)
    names = {c.name for c in wanted if c.kind == "certificate"}
    chosen = [leaf for leaf in leaves(environment, host) if leaf.name in names]
    if not chosen:
        return
    asked = remote.requests(transport, chosen)
    if absent := sorted(leaf.name for leaf in chosen if not isinstance(asked.get(leaf.name), str)):
        raise RancherctlError(f"{host.name}: it made no requests for {', '.join(absent)}", hint="is the host in order?")
    signed = [
        (leaf.crt, make.sign(leaf, asked[leaf.name], pair_of(shared_files, leaf.authority), now), 0o644, "root:root")
        for leaf in chosen
    ]
    remote.install(transport, signed)


def known_after(shared_files: Mapping[str, Secret], ca_hosts: tuple[str, ...]) -> Authorities:
    """The authorities once they are made and stored on these hosts."""
    truth = {path: sha256(str(text)) for path, text in shared_files.items()}
    public = {path: str(shared_files[path]) for path in PUBLIC}
    return Authorities(truth, {a: authority_key(public[authority_path(a)]) for a in AUTHORITIES}, ca_hosts, public)
