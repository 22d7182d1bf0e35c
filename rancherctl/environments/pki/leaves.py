"""Which certificates each host needs: subject, names, usage, authority, owner of the key. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rancherctl.contract import AGENT_GROUP, AGENT_PREFIX, CONTROLLER_IDENTITY, FEDERATION_IDENTITY
from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.environments.syntax import canonical
from rancherctl.hosts.model import Host
from rancherctl.net import is_ip

Authority = Literal["ca", "etcd-ca", "front-proxy-ca"]
AUTHORITIES: tuple[Authority, ...] = ("ca", "etcd-ca", "front-proxy-ca")
ROOT = "root:root"
ETCD = f"{places.ETCD_USER}:{places.ETCD_USER}"
KUBE = f"{places.KUBE_USER}:{places.KUBE_USER}"
CONTROLLER = f"{places.CONTROLLER_USER}:{places.CONTROLLER_USER}"
FEDERATION = f"{places.FEDERATION_USER}:{places.FEDERATION_USER}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One certificate of a host. ``names`` and ``addresses`` are alternative names; ``owner`` owns the key file.

    ``self_renewed``: its program renews it and only needs this one at its first start.
    """

    name: str
    authority: Authority
    common_name: str
    organization: str = ""
    server: bool = False
    client: bool = True
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    owner: str = ROOT
    self_renewed: bool = False

    @property
    def crt(self) -> str:
        """Path of the certificate on the host."""
        return places.crt(self.name)

    @property
    def key(self) -> str:
        """Path of the key on the host."""
        return places.key(self.name)


def leaves(environment: Environment, host: Host) -> tuple[Leaf, ...]:
    """All leaves of a host, sorted by name."""
    out = [
        Leaf("kubelet", "ca", f"system:node:{host.name}", "system:nodes", self_renewed=True),
        Leaf("agent", "ca", f"{AGENT_PREFIX}{host.name}", AGENT_GROUP, self_renewed=True),
    ]
    if not environment.is_federation:
        out.append(Leaf("kube-proxy", "ca", "system:kube-proxy"))
    if host.is_a("etcd"):
        out += _etcd(host)
    if host.is_a("controlplane"):
        out += _control_plane(environment)
    return tuple(sorted(out, key=lambda leaf: leaf.name))


def _etcd(host: Host) -> list[Leaf]:
    names, addresses = (host.name, "localhost"), ("127.0.0.1", host.address)
    return [
        Leaf("etcd-server", "etcd-ca", host.name, server=True, names=names, addresses=addresses, owner=ETCD),
        Leaf("etcd-peer", "etcd-ca", host.name, server=True, names=names, addresses=addresses, owner=ETCD),
    ]


def _control_plane(environment: Environment) -> list[Leaf]:
    names, addresses = api_names(environment)
    if environment.is_federation:
        own = [Leaf("federation", "ca", FEDERATION_IDENTITY, owner=FEDERATION)]
    else:
        own = [Leaf("kube-scheduler", "ca", "system:kube-scheduler", owner=KUBE)]
    return [
        *own,
        Leaf(
            "apiserver", "ca", "kube-apiserver", server=True, client=False, names=names, addresses=addresses, owner=KUBE
        ),
        Leaf("apiserver-etcd-client", "etcd-ca", "kube-apiserver", owner=KUBE),
        Leaf("apiserver-kubelet-client", "ca", "rancherctl:apiserver", owner=KUBE),
        Leaf("front-proxy-client", "front-proxy-ca", "front-proxy-client", owner=KUBE),
        Leaf("kube-controller-manager", "ca", "system:kube-controller-manager", owner=KUBE),
        Leaf("controller", "ca", CONTROLLER_IDENTITY, owner=CONTROLLER),
        Leaf("admin", "ca", "rancherctl:admin", "rancherctl:admins"),
    ]


def api_names(environment: Environment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All names and addresses of the API, the same on every control-plane host (decision 15)."""
    domain = environment.dns.domain
    names = {
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{domain}",
    }
    addresses = {"127.0.0.1", environment.service_ip(1)}
    for host in environment.with_role("controlplane"):
        names.add(host.name)
        addresses |= {host.address, host.public_address}
    for text in (environment.api.address, *environment.api.extra_sans):
        (addresses if is_ip(text) else names).add(canonical(text))
    return tuple(sorted(names - {""})), tuple(sorted(addresses - {""}))
