"""Declaration of the role ``dns``: the cluster's DNS server on a host. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.contract import DNS_UNIT
from rancherctl.kube import tables
from rancherctl.role_spec import PortUse, RoleSpec

SPEC: Final = RoleSpec(
    name="dns",
    title="DNS server",
    module="rancherctl.dns.host_role",
    tables=(tables.SERVICES, tables.ENDPOINTSLICES, tables.PODS),
    units=(DNS_UNIT,),
    ports=(PortUse("udp", 53, "DNS"), PortUse("tcp", 53, "DNS")),
    nft_tables=("rancherctl_dns",),
    runtime_paths=("/run/named", "/var/lib/bind", "/var/cache/bind"),
)
