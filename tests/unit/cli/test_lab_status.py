from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import lab
from rancherctl.errors import NotFoundError
from rancherctl.lab.paths import Roots


def test_a_lab_that_goes_while_all_are_listed_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def rows(name: str, _roots: Roots) -> Iterator[Any]:
        if name == "gone":
            raise NotFoundError("there is no lab gone")
        return iter([name])

    monkeypatch.setattr(lab.state, "names", lambda _roots: ("a", "gone", "z"))
    monkeypatch.setattr(lab.status, "lab_status", rows)
    assert list(lab._of_all(Roots(tmp_path))) == ["a", "z"]
