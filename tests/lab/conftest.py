"""Fixtures of lab tests: everything here needs root on Linux; labs are taken down even when a test or the run fails."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rancherctl.lab.session import running_lab
from tests.lab import measures
from tests.lab.measures import Measure
from tests.lab.support import Environment, lab_name, make

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
    name = kept or lab_name("t")
    home = Path("/var/tmp", f"rancherctl-{kept}") if kept else tmp_path_factory.mktemp("shared")
    with running_lab(name, 4, keep=bool(kept)) as lab:
        environment = make(name, lab, home)
        environment.ok("env", "apply" if (home / "kubeconfig").exists() else "create", "-f", str(environment.file))
        yield environment


@contextmanager
def own_namespace(env: Environment, words: str) -> Iterator[str]:
    """A namespace named after ``words``, removed afterwards without waiting."""
    # Namespaces end slowly: a second one of a similar name must not meet the first.
    name = f"{re.sub(r'[^a-z0-9]+', '-', words.lower())[:40].strip('-')}-{secrets.token_hex(3)}"
    env.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        argv = ["kubectl", "--context", env.name, "delete", "namespace", name, "--wait=false"]
        subprocess.run(argv, env=env.variables, capture_output=True, timeout=120, check=False)


@pytest.fixture
def namespace(shared: Environment, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    with own_namespace(shared, request.node.name.removeprefix("test_")) as name:
        yield name


@pytest.fixture(scope="module")
def space(shared: Environment, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test file's own, for what its tests only look at."""
    with own_namespace(shared, request.path.stem.removeprefix("test_").removesuffix("_lab")) as name:
        yield name
