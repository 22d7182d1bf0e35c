"""What a removal deletes on a host: everything that an apply puts there."""

from __future__ import annotations

from pathlib import Path

from rancherctl.agents.install import host_resources
from rancherctl.bundle.model import Bundle, BundleFile, manifest
from rancherctl.environments.components import places
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.design import design
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import everything
from rancherctl.environments.removal import requests
from rancherctl.hosts.model import Artefact as Upload
from rancherctl.hosts.model import Directory, File, Link, Unit, User
from rancherctl.hosts.remote import lock
from tests.fakes.removal_hosts import DEMO


def test_the_locks_folder_stays_on_a_control_plane_host_until_the_lock_is_released() -> None:
    """The lock is renewed while hosts are cleared: a removed folder would be created again and count as left over."""
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
    control_plane, worker = environment.hosts
    assert lock.FOLDER == requests.LOCK_FOLDER
    assert requests.LOCK_FOLDER in requests.paths(worker)
    assert requests.LOCK_FOLDER not in requests.paths(control_plane)
    assert requests.LOCK_FOLDER not in requests.request(environment, control_plane, "left")["paths"]
    assert requests.paths(control_plane)[-1] == "/var/lib/rancherctl"


def test_everything_that_an_apply_puts_on_a_host_is_removed() -> None:
    """Each path of a host's design is below a removed path, or is a unit's file, or is restored."""
    binaries = [
        BundleFile("cni", "1.9.1", name, "0" * 64, 1, 0o755, "binary", "amd64") for name in requests.CNI_PLUGINS
    ]
    image = BundleFile("images", "1.0", "pause", "0" * 64, 1, 0o644, "image", "amd64", "rancherctl.io/pause:1.0")
    bundle = Bundle(Path("/b"), manifest("1.36.3", "amd64", "official", [*binaries, image]))
    folders = {*requests.FOLDERS, "/etc/cni/net.d"}
    for environment in (
        DEMO,
        from_flags("demo", ["10.0.0.11=etcd", "10.0.0.12=controlplane", "10.0.0.13"]).environment,
    ):
        for host in environment.hosts:
            gone = (*requests.paths(host), *requests.EMPTIED)
            wanted = everything(design(environment, host, MachineFacts(), bundle, host_resources))
            put = {r.path for r in wanted if isinstance(r, (File, Directory, Link, Upload))}
            left = {
                place
                for place in put - folders
                if not any(place == path or place.startswith(f"{path}/") for path in gone)
            }
            assert {
                place for place in left if not place.startswith(("/etc/systemd/system/rancherctl-", places.LOG))
            } == {requests.APPARMOR}
            assert all(r.name.startswith("rancherctl-") for r in wanted if isinstance(r, (Unit, User)))
