"""Two operators at once: the second is refused, with the holder of the lock, its age and purpose.

An operator who has lost the lock stops before the next phase.

The first apply is stopped in the middle, like a laptop that was closed: its processes do not run, and its locks remain.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.support import BIN, Environment

pytestmark = pytest.mark.slow
LOCK = "/run/rancherctl/environment.lock"
EARLY = "/opt/cni/bin"
"""A folder of the phase in which the first operator is stopped."""
BETWEEN = "/etc/rancherctl/kube-proxy.yaml"
"""Written in the next phase: there is time to stop the apply before ``LATE``."""
LATE = "/etc/systemd/system/rancherctl-agent.service"
"""Written in a later phase, which an operator without the lock must not reach."""


class Held:
    """An apply stopped in the phase ``packages``; ``resume`` returns its exit code and output."""

    def __init__(self, environment: Environment) -> None:
        environment.ssh("h2", f"chmod 700 {EARLY}; rm {BETWEEN} {LATE}")
        argv = [str(BIN / "rancherctl"), "env", "apply", "-f", str(environment.file), "--progress", "plain"]
        self.process = subprocess.Popen(
            argv, env=environment.variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if " - packages " in line:
                self.process.send_signal(signal.SIGSTOP)
                return
        raise AssertionError(f"it ended with {self.process.wait()} before its first change")

    def resume(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGCONT)
        _, output = self.process.communicate(timeout=600)
        return self.process.returncode, output


@contextmanager
def held(environment: Environment) -> Iterator[Held]:
    """Restores the environment afterwards."""
    first = Held(environment)
    try:
        yield first
    finally:
        first.process.kill()
        first.process.communicate()
        environment.ok("env", "apply", "-f", str(environment.file))


def refused(environment: Environment) -> None:
    """Another operator's apply ends with a conflict and changes nothing."""
    second = environment.rancherctl("env", "apply", "-f", str(environment.file))
    assert second.returncode == 5, second.stderr
    assert re.search(
        rf"held by \S+@\S+ .*since \d{{4}}-\d\d-\d\d.* for applying environment {environment.name}", second.stderr
    ), second.stderr
    assert "--break-lock" in second.stderr
    environment.ssh("h2", f"test ! -e {LATE}")


def lost(environment: Environment, first: Held, why: str) -> None:
    """The first apply continues, reports why it stops, and keeps the changes of the other operator."""
    environment.ssh("h2", f"test -e {LATE}; rm {LATE}")
    code, output = first.resume()
    assert code == 5, output
    assert why in output
    assert " - agents " not in output
    environment.ssh("h2", f"test ! -e {LATE}")


def test_an_apply_stops_if_its_lock_file_is_broken(shared: Environment) -> None:
    with held(shared) as first:
        refused(shared)
        shared.ok("env", "apply", "-f", str(shared.file), "--break-lock")
        lost(shared, first, "the lock was lost: it expired or was broken")


def test_the_lease_is_the_lock_after_a_reboot_removed_the_lock_file(shared: Environment) -> None:
    with held(shared) as first:
        shared.ssh("h1", f"mv {LOCK} /run/kept.lock")
        refused(shared)
        shared.ok("env", "apply", "-f", str(shared.file), "--break-lock")
        # The file alone would let the first one continue: it is back, and has not expired.
        shared.ssh(
            "h1", f"""sed -E 's/"expires": [0-9.]+/"expires": 1e9/' /run/kept.lock > {LOCK}; rm /run/kept.lock"""
        )
        lost(shared, first, "the lock in the API was taken over by another process")
