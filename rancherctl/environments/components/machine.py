"""What configuration texts need to know of a machine, reduced from its facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """``cgroup_v2`` unified hierarchy; ``may_lower_oom`` CAP_SYS_RESOURCE is there; ``resolv_conf`` the file with real resolvers.

    ``system`` is ``debian13`` and the like, "" where it could not be told.
    """

    cgroup_v2: bool = True
    may_lower_oom: bool = True
    resolv_conf: str = "/etc/resolv.conf"
    runc: str = "/usr/sbin/runc"
    system: str = ""
