"""What a host needs for load balancers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rancherctl.hosts.model import Absent, Directory, File, Package, Unit, User
from rancherctl.ingress.haproxy import install
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.role_spec import SPEC


def test_a_host_gets_the_package_without_its_unit_and_an_unprivileged_one_instead() -> None:
    found = install.resources(install.IngressHostConfig())
    assert Package("haproxy", mask=("haproxy.service",)) in found
    unit = next(r.content.decode() for r in found if isinstance(r, File) and r.path.endswith(".service"))
    assert "User=rancherctl-lb\nGroup=rancherctl-lb\n" in unit
    assert User("rancherctl-lb", "/var/lib/rancherctl/ingress") in found
    assert Directory("/var/lib/rancherctl/ingress", 0o750, "root:rancherctl-lb") in found
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE" in unit
    assert all(isinstance(r, Unit) for r in found[-2:])
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


def test_an_upgrade_from_release_0_1_changes_only_the_user_of_haproxy() -> None:
    """The unit is restarted when its text changes, which resets the connections of every client."""
    recorded = Path(__file__).parents[2] / "data" / "release_0.1" / "rancherctl-ingress.service"
    before, after = recorded.read_text(encoding="utf-8").splitlines(), install.unit(Paths()).splitlines()
    config = "/var/lib/rancherctl/ingress/haproxy.cfg"
    start = "ExecStartPre=+/bin/sh -c 'test -s {0} || install -m 0640 -g {1} /etc/rancherctl/ingress/idle.cfg {0}'"
    assert [line for line in before if line not in after] == [
        "User=haproxy",
        "Group=haproxy",
        start.format(config, "haproxy"),
    ]
    assert [line for line in after if line not in before] == [
        "User=rancherctl-lb",
        "Group=rancherctl-lb",
        start.format(config, "rancherctl-lb"),
        "# Release 0.1 ran it as another user.",
        "ExecStartPre=+/bin/chgrp -R rancherctl-lb /var/lib/rancherctl/ingress",
    ]


def test_without_keys_on_disk_a_boot_begins_with_empty_files_in_their_place() -> None:
    """HAProxy reads them before the agent has started. The unit's text is the same: nothing restarts HAProxy."""
    paths = Paths(keys_on_disk=False)
    found, default = (install.resources(install.IngressHostConfig(p)) for p in (paths, Paths()))
    (created,) = set(found) - set(default)
    assert isinstance(created, File)
    assert set(default) - set(found) == {Absent(created.path)}
    assert created.path in SPEC.paths, "a removal takes it away"
    assert created.content.decode().splitlines()[1:] == [
        "d /run/rancherctl 0755 root root -",
        "C /run/rancherctl/ingress-tls 0750 root rancherctl-lb - /var/lib/rancherctl/ingress/boot",
    ]


def test_what_changes_together_with_the_unit_is_what_the_role_declares() -> None:
    found = install.resources(install.IngressHostConfig())
    assert SPEC.serving is not None
    (unit,) = (r for r in found if isinstance(r, Unit) and r.name == SPEC.serving.unit)
    owned = {r.path for r in found if isinstance(r, Directory | File) and "rancherctl-lb" in r.owner}
    assert set(SPEC.serving.paths) == {*unit.restart_on, *owned}
