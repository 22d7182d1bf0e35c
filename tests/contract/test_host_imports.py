"""Modules of hosts that also run on hosts import the standard library only."""

from __future__ import annotations

import subprocess
import sys

STDLIB_ONLY = [
    "local",
    "observe",
    "plan",
    "apply",
    "state",
    "remote_call",
    "model",
    "command",
    "transport",
    "fanout",
    "host_lock",
    "lock_owner",
    "remove",
    "facts",
    "connections",
]


def test_modules_that_run_on_hosts_import_the_standard_library_only() -> None:
    modules = ", ".join(f"rancherctl.hosts.{name}" for name in STDLIB_ONLY)
    code = (
        f"import sys; before = set(sys.modules); import {modules};"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'rancherctl'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
