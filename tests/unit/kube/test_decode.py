"""The collector is off only while large JSON is decoded, whatever happens."""

from __future__ import annotations

import gc
import json
import threading

import pytest

from rancherctl.kube.decode import LARGE, acyclic, loads


def test_the_collector_is_on_again_afterwards() -> None:
    assert loads(json.dumps(["x"] * LARGE).encode()) == ["x"] * LARGE
    assert gc.isenabled()
    with pytest.raises(ValueError, match="Expecting"):
        loads(b"[" + b"1," * LARGE)
    assert gc.isenabled()


def test_it_stays_off_while_another_thread_still_decodes() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with acyclic():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(60)
    with acyclic():
        assert not gc.isenabled()
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_garbage_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with acyclic():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
