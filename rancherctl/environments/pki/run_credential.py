"""The credential of one run: an administrator's certificate that is made and kept in memory, valid for two hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from rancherctl.environments.pki import authority
from rancherctl.environments.pki.authority import KeyPair
from rancherctl.environments.pki.leaves import Leaf

LIFETIME: Final = timedelta(hours=2)
MAX_COMMON_NAME: Final = 64
"""Characters of a common name in X.509."""


def run_credential(operator: str, ca: KeyPair, now: datetime) -> KeyPair:
    """Certificate and key of a member of ``system:masters``, named after the operator in the audit log."""
    name = f"rancherctl:operator:{operator}"[:MAX_COMMON_NAME]
    return authority.issue(Leaf("operator", "ca", name, "system:masters"), ca, now, valid=LIFETIME)
