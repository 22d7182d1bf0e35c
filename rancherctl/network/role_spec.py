"""Declaration of the role ``network``: the pod network and the DNS addresses of a host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.contract import CNI_CONFIG, NETWORK_UNIT, SYSCTL_CONFIG, VXLAN_DEVICE
from rancherctl.kube import tables
from rancherctl.network.model import NFT_TABLE
from rancherctl.role_spec import RoleSpec, section_problems


def _health(section: Mapping[str, Any]) -> list[str]:
    unusable = section.get("unusable")
    routes = [f"cannot route to nodes with unusable addresses: {unusable}"] if unusable else []
    return section_problems(section) + routes


SPEC: Final = RoleSpec(
    name="network",
    title="pod network",
    module="rancherctl.network.host_role",
    tables=(tables.NODES,),
    in_federation=True,
    units=(NETWORK_UNIT,),
    paths=(CNI_CONFIG, SYSCTL_CONFIG),
    devices=(VXLAN_DEVICE,),
    nft_tables=(NFT_TABLE,),
    health=_health,
)
