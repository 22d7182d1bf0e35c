"""The phases of an apply, one module each, and the literal list that says in which order they run.

A phase plans and applies its own part of an environment. Not here: what the parts should look like (design, pki,
manifests), what the phases share (run), and the walk through the list (reconcile).
"""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.agents import AGENTS
from rancherctl.environments.phases.artefacts import ARTEFACTS
from rancherctl.environments.phases.base import Phase
from rancherctl.environments.phases.certificates import CERTIFICATES
from rancherctl.environments.phases.control_plane import CONTROL_PLANE
from rancherctl.environments.phases.etcd import ETCD
from rancherctl.environments.phases.firewall import CLOSE_FIREWALL, OPEN_FIREWALL
from rancherctl.environments.phases.nodes import NODES
from rancherctl.environments.phases.objects import OBJECTS
from rancherctl.environments.phases.packages import PACKAGES
from rancherctl.environments.phases.preliminary import LOCK, PREFLIGHT
from rancherctl.environments.phases.prune import PRUNE
from rancherctl.environments.phases.ready import READY
from rancherctl.environments.phases.record import RECORD

PHASES: Final[tuple[Phase, ...]] = (
    PREFLIGHT,
    LOCK,
    OPEN_FIREWALL,
    PACKAGES,
    ARTEFACTS,
    CERTIFICATES,
    ETCD,
    CONTROL_PLANE,
    OBJECTS,
    NODES,
    AGENTS,
    CLOSE_FIREWALL,
    READY,
    PRUNE,
    RECORD,
)
