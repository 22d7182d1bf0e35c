"""The fixture of the federation's lab tests: three environments in one lab, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.federation.sites import Sites, running_sites


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Members m1 and m2, federation acme, and its public name server; tests restore what they change."""
    with running_sites(tmp_path_factory.mktemp("sites")) as found:
        yield found
