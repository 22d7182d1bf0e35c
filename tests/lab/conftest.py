"""Fixtures of lab tests: everything here needs root on Linux; labs are taken down even when a test or the run fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.lab.session import running_lab
from tests.lab.support import Environment, make

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a lab test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """One environment of four hosts for all tests that leave it as they found it: h1 control plane and worker, h2–h4 workers."""
    name = f"t{os.getpid()}"
    with running_lab(name, 4) as lab:
        environment = make(name, lab, tmp_path_factory.mktemp("shared"))
        environment.ok("env", "create", "-f", str(environment.file))
        yield environment


@pytest.fixture
def namespace(shared: Environment, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, removed afterwards without waiting."""
    name = "t-" + request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[:40].strip("-")
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
