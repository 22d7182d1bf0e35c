"""Stand-ins for what `env create`, `apply` and `rm` do on hosts: they fail or end as a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rancherctl.environments.removal.remove import Removed

CREATE = ("env", "create", "demo", "--host", "root@10.0.0.1", "--host", "root@10.0.0.2")
Call = Callable[..., tuple[int, str]]


def applying(monkeypatch: pytest.MonkeyPatch, error: Exception, *, begun: bool) -> None:
    """An apply ends in ``error``, before or after its first change."""

    def apply(environment: Any, context: Any, *, begin: Callable[[], object], **options: Any) -> None:
        if begun:
            begin()
        raise error

    monkeypatch.setattr("rancherctl.environments.reconcile.apply", apply)


def removing(monkeypatch: pytest.MonkeyPatch, outcome: Removed | Exception) -> None:
    """A removal ends with this outcome."""

    def remove(environment: Any, context: Any, **options: Any) -> Removed:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr("rancherctl.environments.removal.remove.remove", remove)
