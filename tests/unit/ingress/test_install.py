"""What a host needs for load balancers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rancherctl.hosts.model import File, Package, Unit
from rancherctl.ingress.haproxy import install
from rancherctl.ingress.haproxy.render import Paths


def test_a_host_gets_the_package_without_its_unit_and_an_unprivileged_one_instead() -> None:
    found = install.resources(install.IngressHostConfig())
    assert Package("haproxy", mask=("haproxy.service",)) in found
    unit = next(r.content.decode() for r in found if isinstance(r, File) and r.path.endswith(".service"))
    assert "User=haproxy" in unit
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE" in unit
    assert isinstance(found[-1], Unit)
    idle = next(r.content.decode() for r in found if isinstance(r, File) and r.path.endswith("idle.cfg"))
    assert "bind *" not in idle


def test_the_role_needs_the_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import rancherctl.ingress.role.reconcile, "
        "rancherctl.ingress.status.publish, rancherctl.ingress.haproxy.install; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before}; print(sorted(new - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "['rancherctl']"


def test_an_upgrade_from_release_0_1_does_not_restart_haproxy() -> None:
    """The unit is restarted when its text changes, which resets the connections of every client."""
    recorded = Path(__file__).parents[2] / "data" / "release_0.1" / "rancherctl-ingress.service"
    assert install.unit(Paths()) == recorded.read_text(encoding="utf-8")
