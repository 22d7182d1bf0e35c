"""Entering a pod's network namespace: real namespaces with handles in a folder, as a container runtime has."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.dns.pod_netns import run_in_netns
from rancherctl.errors import NotFoundError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="creating a network namespace needs root")
POD = "10.42.7.7"
HERE = Path("/proc/thread-self/ns/net")


def network(handle: Path = HERE) -> str:
    """The kernel's name of a network namespace; by default that of this thread."""
    return str(handle.readlink())


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[str]:
    """The kernel's name of a pod's network namespace."""
    script = f"ip link set lo up && ip addr add {POD}/32 dev lo && echo ready && exec sleep 600"
    process = subprocess.Popen(["unshare", "-n", "sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    (tmp_path / "cni-ended").touch()
    (tmp_path / "cni-pod").symlink_to(f"/proc/{process.pid}/ns/net")
    (tmp_path / "cni-vanished").symlink_to("/proc/0/ns/net")
    yield network(Path(f"/proc/{process.pid}/ns/net"))
    process.kill()
    process.communicate()


def test_the_function_runs_in_the_pods_network_and_the_caller_stays_outside(pod: str, tmp_path: Path) -> None:
    host, before = network(), threading.active_count()
    assert run_in_netns(POD, network, tmp_path) == pod != host
    assert network() == host
    assert threading.active_count() == before


def test_for_a_pod_on_the_host_network_the_function_runs_there(tmp_path: Path) -> None:
    assert run_in_netns("127.0.0.1", network, tmp_path / "none") == network()


def test_an_address_without_a_pod_is_an_error_that_names_it(pod: str, tmp_path: Path) -> None:
    for address in ("192.0.2.7", "2001:db8::7"):
        with pytest.raises(NotFoundError, match=address):
            run_in_netns(address, lambda: 0, tmp_path)


def test_an_exception_in_the_pods_network_reaches_the_caller(pod: str, tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        run_in_netns(POD, fail, tmp_path)
