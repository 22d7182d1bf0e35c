"""The fixtures of the federation's lab tests: three environments in one lab, made once, with a namespace for all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.federation.shop import open_shop, open_space
from tests.lab.federation.sites import Sites, running_sites


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Members m1 and m2, federation acme, and its public name server; tests restore what they change."""
    with running_sites(tmp_path_factory.mktemp("sites")) as found:
        yield found


@pytest.fixture(scope="session")
def opened(sites: Sites) -> Sites:
    open_shop(sites)
    return sites


@pytest.fixture
def shop(opened: Sites) -> Sites:
    """The sites with the namespace ``shop`` everywhere, and pods of ``web`` in both members."""
    for member in opened.members:
        open_space(member)  # a member that has left meanwhile has closed it
    return opened
