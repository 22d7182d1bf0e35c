"""Fixtures of lab tests: everything here needs root on Linux; labs are taken down even when a test or the run fails."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.lab.session import running_lab
from tests.lab import measures
from tests.lab.measures import Measure
from tests.lab.support import Environment, make

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a lab test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, after the tests' own results."""
    if measures.TAKEN:
        terminalreporter.section("measured (not asserted; the machine may be shared)")
        for line in measures.lines():
            terminalreporter.write_line(line)


@pytest.fixture
def measure() -> Measure:
    """Remember a measure: it is printed at the end of the run."""
    return lambda name, value, unit: measures.TAKEN.append((name, value, unit))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """One environment of four hosts for all tests that leave it as they found it: h1 control plane and worker, h2 to h4 workers.

    RANCHERCTL_TEST_KEEP=NAME keeps lab and environment of that name for the next run (`rancherctl lab down --name NAME` ends it).
    """
    kept = os.environ.get("RANCHERCTL_TEST_KEEP", "")
    name = kept or f"t{os.getpid()}"
    home = Path("/var/tmp", f"rancherctl-{kept}") if kept else tmp_path_factory.mktemp("shared")
    with running_lab(name, 4, keep=bool(kept)) as lab:
        environment = make(name, lab, home)
        environment.ok("env", "apply" if (home / "kubeconfig").exists() else "create", "-f", str(environment.file))
        yield environment


@pytest.fixture
def namespace(shared: Environment, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, removed afterwards without waiting."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:40].strip("-")
    # Namespaces end slowly: a second test of a similar name must not meet the first one's.
    name = f"{words}-{secrets.token_hex(3)}"
    shared.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        subprocess.run(
            ["kubectl", "--context", shared.name, "delete", "namespace", name, "--wait=false"],
            env=shared.variables,
            capture_output=True,
            timeout=30,
            check=False,
        )
