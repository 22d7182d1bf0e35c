"""Declaration of the role ``pod-paths``: whether pods of a host reach what they need. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.contract import CHECK_DEVICE, POD_PATHS_UNIT
from rancherctl.kube import tables
from rancherctl.role_spec import RoleSpec

SPEC: Final = RoleSpec(
    name="pod-paths",
    title="pod path check",
    module="rancherctl.pod_paths.host_role",
    tables=(tables.NODES,),
    units=(POD_PATHS_UNIT,),
    devices=(CHECK_DEVICE,),
)
"""What the checks found is judged over all hosts (pod_paths.explain): ``health`` shows only that they cannot run."""
