"""Files of the load balancer on a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.ingress.haproxy import files


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x"
    files.write(target, b"old")
    (tmp_path / ".x.rancherctl-new").mkdir()
    with pytest.raises(OSError):
        files.write(target, b"new")
    assert target.read_bytes() == b"old"
