"""For all tests: no Hypothesis deadlines (shared machines are slow at times), Ctrl-C works, and kubectl is on PATH."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from hypothesis import settings

from rancherctl.settings import load

# The same examples in every run: a failure belongs to the tested change. HYPOTHESIS_PROFILE=explore finds new ones.
settings.register_profile("shared", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "shared"))

# Shells start background jobs with SIGINT ignored; programs that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Some tests compare with kubectl: without an installed one, use the bundle's.
if shutil.which("kubectl") is None:
    cache = load({}).cache or load({}).dirs.cache
    found = sorted(cache.glob("bundles/*/kubernetes/*/kubectl"))
    if found:
        os.environ["PATH"] += os.pathsep + str(found[-1].parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``: two for each processor, because tests with real programs mostly wait for them."""
    return 2 * len(os.sched_getaffinity(0))
