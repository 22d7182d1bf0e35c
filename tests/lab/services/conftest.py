"""Fixtures of lab tests about Services of type LoadBalancer."""

from __future__ import annotations

import pytest

from tests.lab import workloads as w
from tests.lab.support import Environment


@pytest.fixture(scope="module")
def web(shared: Environment, space: str) -> str:
    """A namespace with two pods of ``web`` on different hosts."""
    w.web(shared, space, 2, **w.spread("web"))
    return space
