"""Is the process that holds a lock still alive?"""

from __future__ import annotations

import pytest

from rancherctl.hosts import lock_owner
from rancherctl.hosts.lock_owner import Owner, is_alive, this_process


def test_this_process_is_alive_and_an_ended_one_is_not() -> None:
    me = this_process("me@here")
    assert is_alive(me)
    assert not is_alive(Owner("x", me.machine, 2**22 + 1, "1 boot"))
    assert is_alive(Owner("x", "another machine", 2**22 + 1, "1 boot"))
    assert is_alive(Owner("x", me.machine.partition(" ")[0] + " pid:[1]", 2**22 + 1, "1 boot")), (
        "another container of this image"
    )


def test_a_process_that_proc_hides_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """hidepid: processes of other users are hidden, but they run."""
    me = this_process("me@here")
    monkeypatch.setattr(lock_owner, "_start_of", lambda pid: "")
    monkeypatch.setattr("os.kill", _refused)
    assert is_alive(me)
    monkeypatch.setattr("os.kill", _absent)
    assert not is_alive(me)


def _refused(pid: int, number: int) -> None:
    raise PermissionError


def _absent(pid: int, number: int) -> None:
    raise ProcessLookupError
