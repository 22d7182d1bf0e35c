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

IPV4 = "10.43.0.0/16"
BOTH = f"{IPV4},fd00:43::/112"
RFC_1034 = "CNAME also if its target has no address of the family"
"""CoreDNS answers such a question without the CNAME, as if the alias did not exist (docs/dns-verify.md)."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    with running(services=request.param) as api:
        yield api


def verify(api: ApiServer, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(api.kubeconfig()), "CI": "true"}
    argv = [str(BIN / "rancherctl"), "dns", "verify", "--context", "t", "--timeout", "60s", "-o", "json", *words]
    return subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow  # builds CoreDNS if it has not been
@pytest.mark.skipif(shutil.which("go") is None, reason="CoreDNS is built from its Go module")
@pytest.mark.parametrize(
    ("server", "cache", "known"),
    [(IPV4, coredns.CACHE, {RFC_1034}), (BOTH, "    cache 30\n", set())],
    ids=["kubeadm", "dual-stack-cached"],
    indirect=["server"],
)
def test_coredns_is_checked_from_here(server: ApiServer, tmp_path: Path, cache: str, known: set[str]) -> None:
    with coredns.running(tmp_path, server.kubeconfig(), cache=cache) as address:
        done = verify(server, tmp_path, "--server", address)
    assert done.stdout, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    failed = {row["says"]: row for row in rows if row["result"] == "failed"}
    assert set(failed) == known, failed
    assert done.returncode == (1 if known else 0)
    assert {server["server"] for row in rows for server in row["servers"]} == {address}
    assert sum(row["result"] == "skipped" for row in rows) == 2
