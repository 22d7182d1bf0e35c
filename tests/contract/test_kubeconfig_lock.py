"""A lock that a killed process left on a kubeconfig file does not prevent changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rancherctl.credentials.kubeconfig_files import update
from rancherctl.credentials.stanzas import Stanza, merged

DEMO = Stanza("demo", "https://10.0.0.1:6443", "PEM\n", "uid-1")


def test_a_stale_lock_of_a_killed_process_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "config"
    program = """import os, sys; from filelock import SoftFileLock
lock = SoftFileLock(sys.argv[1]); lock.acquire(); os._exit(0)"""
    subprocess.run([sys.executable, "-c", program, f"{path}.lock"], check=True, timeout=60)
    assert Path(f"{path}.lock").exists()
    assert update(path, lambda d: merged(d, DEMO)[0], print)
