"""A client for the API in this process or for a real kube-apiserver: what holds for one must hold for the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from rancherctl.kube.rest import RestClient
from tests.fakes.kube import FakeApi

EITHER = ["fake", pytest.param("real", marks=pytest.mark.lab)]
"""Parameters of a fixture that hands them to ``client_of``."""


@contextmanager
def client_of(kind: str) -> Iterator[RestClient]:
    if kind == "fake":
        with closing(FakeApi()) as api, RestClient(api.url) as rest:
            yield rest
    else:
        from tests.lab.apiserver import running

        with running() as server, server.client() as rest:
            yield rest
