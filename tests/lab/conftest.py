"""Fixtures of lab tests. They need root on Linux; labs are removed even if a test or the run fails."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

from rancherctl.lab.session import running_lab
from tests.lab import measures
from tests.lab.measures import Measure
from tests.lab.support import LABS, Environment, lab_name, make, remove_labs

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as a lab test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


class LabScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """One worker runs the tests of the shared environment; the others run files whose tests have hosts of their own."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/lab/federation/"):
            return "federation"
        return "shared" if uses_shared(self.config.rootpath / file) else file


@cache
def uses_shared(file: Path) -> bool:
    """Whether tests in a file use the fixture ``shared``. Only workers collect tests, so the text is searched."""
    return "shared: Environment" in file.read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LabScheduling:
    """``-n 2`` runs the shared environment and other hosts side by side."""
    return LabScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let workers note the names of their labs: after Ctrl-C they have ten seconds to remove them, which may not do."""
    handle, os.environ[LABS] = tempfile.mkstemp(prefix="rancherctl-labs-")
    os.close(handle)


@pytest.hookimpl(trylast=True)  # after the workers have ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Workers send their measurements to the process that prints them, which removes the labs that they left."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["measures"] = measures.TAKEN
    elif notes := os.environ.pop(LABS, ""):
        remove_labs(Path(notes))
        Path(notes).unlink()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take the measurements of a worker; one that has crashed sends none."""
    measures.TAKEN.extend(getattr(node, "workeroutput", {}).get("measures", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the measurements after the results of the tests."""
    if measures.TAKEN:
        terminalreporter.section("measured (not asserted; the machine may be shared)")
        for line in measures.lines():
            terminalreporter.write_line(line)


@pytest.fixture
def measure() -> Measure:
    """Record a measurement, which is printed at the end of the run."""
    return lambda name, value, unit: measures.TAKEN.append((name, value, unit))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """One environment of four hosts for all tests that restore its state: h1 control plane and worker, others workers.

    RANCHERCTL_TEST_KEEP=NAME keeps lab and environment of that name for the next run (`rancherctl lab down --name NAME`
    removes it).
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
    """A namespace named after ``words``; afterwards it is deleted without waiting."""
    # Deleting a namespace is slow: the next one with the same words needs another name.
    name = f"{re.sub(r'[^a-z0-9]+', '-', words.lower())[:40].strip('-')}-{secrets.token_hex(3)}"
    env.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        argv = ["kubectl", "--context", env.name, "delete", "namespace", name, "--wait=false"]
        subprocess.run(argv, env=env.variables, capture_output=True, timeout=120, check=False)


@pytest.fixture
def namespace(shared: Environment, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test."""
    with own_namespace(shared, request.node.name.removeprefix("test_")) as name:
        yield name


@pytest.fixture(scope="module")
def space(shared: Environment, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test file, for objects that its tests only read."""
    with own_namespace(shared, request.path.stem.removeprefix("test_").removesuffix("_lab")) as name:
        yield name
