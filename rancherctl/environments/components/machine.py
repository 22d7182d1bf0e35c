"""The facts of a machine that configuration texts depend on. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """Facts that configurations depend on.

    ``cgroup_v2``: unified hierarchy. ``may_lower_oom``: CAP_SYS_RESOURCE is available. ``resolv_conf``: the file with
    the real resolvers. ``system``: ``debian13`` and the like, "" if unknown.
    """

    cgroup_v2: bool = True
    may_lower_oom: bool = True
    resolv_conf: str = "/etc/resolv.conf"
    runc: str = "/usr/sbin/runc"
    system: str = ""
