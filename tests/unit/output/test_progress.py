from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest
from rich.console import Console

from rancherctl.events import Event, busy
from rancherctl.output.live import LiveView, _View
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


def test_progress_none_prints_nothing() -> None:
    assert shown("none", Event("a", "b", level="error")) == ""


def test_a_message_cannot_forge_a_line() -> None:
    assert shown("plain", Event("a", "b\n00:00:00Z h9 root done", "h1")).count("\n") == 1


def test_lines_of_many_threads_stay_whole() -> None:
    stream = io.StringIO()
    with progress("plain", stream, live=False, clock=lambda: NOON) as view:
        threads = [
            threading.Thread(target=lambda n=n: [view.emit(Event("p", f"{n}-" * 50, "h")) for _ in range(50)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 400
    assert len(set(lines)) == 8


@pytest.mark.parametrize("state", ["done", "failed", "note"])
def test_the_live_view_keeps_results_and_never_reads_markup(state: Any) -> None:
    text = shown(
        "auto",
        Event("pki", "[red]x[/red]", "h1", "started"),
        Event("pki", "host[eth0] :smile:", "h1", state),
        live=True,
    )
    assert "host[eth0] :smile:" in text


def test_the_live_view_has_colours_where_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for color, code in ((True, "\x1b[31m✗ h1"), (False, "✗ h1")):
        stream = io.StringIO()
        with progress("auto", stream, live=True, color=color) as view:
            view.emit(Event("nodes", "disk full", "h1", "failed"))
        assert code in stream.getvalue()
        assert ("\x1b[31m" in stream.getvalue()) is color


def test_finished_steps_of_hosts_are_folded_into_the_line_of_their_phase() -> None:
    whole, host = Event("nodes", "kubelet", "", "started"), Event("nodes", "16 changes made", "h1", "done")
    events = (
        whole,
        host,
        Event("nodes", "disk full", "h2", "failed", "error"),
        Event("nodes", "kubelet: 2.0 s", "", "done"),
    )
    text = shown("auto", *events, live=True)
    assert "16 changes made" not in text
    assert "✗ h2 nodes: disk full" in text
    assert "✓ kubelet: 2.0 s" in text
    assert "16 changes made" in shown("auto", *events, live=True, debug=True)
    assert "16 changes made" in shown("auto", host, live=True), "no phase around it"
    assert "16 changes made" in shown("plain", *events)


def test_a_finished_check_leaves_no_line() -> None:
    stream = io.StringIO()
    with progress("auto", stream, live=False) as view, busy(view.emit, "look", "comparing", "h1"):
        pass
    assert stream.getvalue() == ""
    live = LiveView(io.StringIO(), lambda: NOON)
    with busy(live.emit, "look", "comparing", "h1"):
        assert [line.plain.partition(" ")[2] for line in live.lines(24)] == ["h1 look: comparing (0s)"]
    assert live.lines(24) == []


def test_more_hosts_than_lines_are_counted() -> None:
    live = LiveView(io.StringIO(), lambda: NOON)
    for n in range(50):
        live.emit(Event("nodes", "at work", f"h{n:02}", "started"))
    lines = [line.plain for line in live.lines(12)]
    assert len(lines) == 11
    assert lines[-1].strip() == "and 40 more"


def test_a_long_line_leaves_room_for_what_the_terminal_echoes() -> None:
    stream = io.StringIO()
    live = LiveView(stream, lambda: NOON)
    live.emit(Event("artefacts", "x" * 300, "h1", "progress"))
    console = Console(file=stream, width=80, force_terminal=True)
    lines = console.render_lines(_View(live.lines), pad=False)
    assert [sum(segment.cell_length for segment in line) for line in lines] == [76]
