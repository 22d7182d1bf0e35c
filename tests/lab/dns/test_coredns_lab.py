"""``dns verify --server`` against CoreDNS with a real API server: someone else's server, and what it answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import coredns
from tests.lab.apiserver import ApiServer, running
from tests.lab.support import BIN

KNOWN: frozenset[str] = frozenset()
"""Questions that CoreDNS answers in another way than the specification says (docs/dns-verify.md)."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as api:
        yield api


def verify(api: ApiServer, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(api.kubeconfig()), "CI": "true"}
    argv = [str(BIN / "rancherctl"), "dns", "verify", "--context", "t", "--timeout", "20s", "-o", "json", *words]
    return subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow  # builds CoreDNS if it has not been
@pytest.mark.skipif(shutil.which("go") is None, reason="CoreDNS is built from its Go module")
def test_coredns_is_checked_from_here(server: ApiServer, tmp_path: Path) -> None:
    with coredns.running(tmp_path, server.kubeconfig()) as address:
        done = verify(server, tmp_path, "--server", address)
    assert done.stdout, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    failed = {row["number"]: row for row in rows if row["result"] == "failed"}
    assert {row["says"] for row in failed.values()} == KNOWN, failed
    assert done.returncode == (1 if KNOWN else 0)
    assert {server["server"] for row in rows for server in row["servers"]} == {address}
