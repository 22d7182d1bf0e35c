from __future__ import annotations

import io
import json
import threading

import pytest

from rancherctl.events import Event
from rancherctl.output.progress import progress

NOON = 1_790_000_000.25


def shown(mode: str, *events: Event, live: bool = False, debug: bool = False) -> str:
    stream = io.StringIO()
    with progress(mode, stream, live=live, debug=debug, clock=lambda: NOON) as view:
        for event in events:
            view.emit(event)
    return stream.getvalue()


def test_plain_lines_are_time_host_phase_message() -> None:
    assert shown("plain", Event("packages", "installed 3", "h1", "done")) == "14:13:20Z h1 packages installed 3\n"
    assert shown("auto", Event("lock", "waiting", level="warning")) == "14:13:20Z - lock warning: waiting\n"


def test_counting_and_debug_events_show_with_debug_only() -> None:
    events = (Event("upload", "5 MB", "h1", "progress"), Event("ssh", "banner", "h1", level="debug"))
    assert shown("plain", *events) == ""
    assert len(shown("plain", *events, debug=True).splitlines()) == 2


def test_json_lines_can_be_read_back() -> None:
    line = json.loads(shown("json", Event("artefacts", "kubelet\n", "h1", "done", fraction=0.5)))
    assert line == {
        "time": "2026-09-21T14:13:20.250Z", "subject": "h1", "phase": "artefacts", "state": "done", "level": "info",
        "message": "kubelet\n", "fraction": "0.500",
    }  # fmt: skip


def test_none_is_silent() -> None:
    assert shown("none", Event("a", "b", level="error")) == ""


def test_a_message_cannot_forge_a_line() -> None:
    assert shown("plain", Event("a", "b\n00:00:00Z h9 root done", "h1")).count("\n") == 1


def test_lines_of_many_threads_stay_whole() -> None:
    stream = io.StringIO()
    with progress("plain", stream, live=False, clock=lambda: NOON) as view:
        threads = [threading.Thread(target=lambda n=n: [view.emit(Event("p", f"{n}-" * 50, "h")) for _ in range(50)]) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 400
    assert len(set(lines)) == 8


@pytest.mark.parametrize("state", ["done", "failed", "note"])
def test_the_live_view_keeps_results_and_never_reads_markup(state: str) -> None:
    text = shown("auto", Event("pki", "[red]x[/red]", "h1", "started"), Event("pki", "host[eth0] :smile:", "h1", state), live=True)
    assert "host[eth0] :smile:" in text
