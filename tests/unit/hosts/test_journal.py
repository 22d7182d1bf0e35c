"""Which lines of a unit's log say why it ended."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.hosts.remote.journal import LINE_LIMIT, chosen, of_ended, of_invocation

NAME = "rancherctl-a.service"
WARNING = 'W1128 13:57:00.495510   22794 logging.go:55] [core] grpc: failed to connect to {Addr: "…"}'
FAILED = 'E1128 13:57:00.495879   22794 run.go:72] "command failed" err="open /var/log/audit.log: permission denied"'
TRIED = "E1128 13:57:00.000000 1 x.go:1] tried again"
REFUSED = "rancherctl.errors.AuthError: refused"
ALERT = "[ALERT]    (7) : config : parsing [a:1]: unknown"
ETCD = '{"level":"fatal","ts":"2026-11-28T13:57:00Z","msg":"discovery failed","error":"cannot access data directory"}'
EXITED = f"{NAME}: Main process exited, code=exited, status=1/FAILURE"


def entries(*texts: Any, priority: str = "6") -> list[dict[str, Any]]:
    return [{"MESSAGE": text, "PRIORITY": priority} for text in texts]


@pytest.mark.parametrize(
    ("log", "quoted"),
    [
        (["a", "b", "c", "d"], ["b", "c", "d"]),
        ([FAILED, WARNING, WARNING, WARNING, WARNING], [FAILED]),
        ([TRIED, FAILED, WARNING], [FAILED]),
        (['{"level":"error","msg":"tried"}', ETCD, "bye"], [ETCD]),
        ([TRIED, "a", "b", "exec format error"], [TRIED, "exec format error"]),
        (["Traceback (most recent call last):", '  File "x", line 1', REFUSED], [REFUSED]),
        (["[NOTICE]   (7) : x", ALERT, "[WARNING]  (7) : y"], [ALERT]),
        (["panic: nil map\n\ngoroutine 1 [running]:\nmain.main()"], ["panic: nil map"]),
        (["Starting A...", "the port is taken", EXITED], ["the port is taken"]),
        ([f"{NAME}: Failed to locate executable /opt/a", EXITED, f"{NAME}: Scheduled restart job, counter is at 1."],
         [f"{NAME}: Failed to locate executable /opt/a", EXITED]),
        ([list("né".encode()), None], ["né"]),
        ([], []),
    ],
)  # fmt: skip
def test_the_lines_that_name_the_cause_are_quoted(log: list[Any], quoted: list[str]) -> None:
    assert chosen(NAME, entries(*log)) == quoted


def test_late_lines_belong_to_the_start_of_their_stream() -> None:
    """journald does not know the invocation of such a line, or takes it for one of the next start."""
    one, two = (
        {"_SYSTEMD_INVOCATION_ID": "one", "_STREAM_ID": "1"},
        {"_SYSTEMD_INVOCATION_ID": "two", "_STREAM_ID": "2"},
    )
    log: list[dict[str, Any]] = [
        {"MESSAGE": "of an earlier start"},
        {"MESSAGE": "Starting A", "INVOCATION_ID": "one"},
        {"MESSAGE": "a", "_STREAM_ID": "9"},
        {"MESSAGE": "b", **one},
        {"MESSAGE": "Starting A", "INVOCATION_ID": "two"},
        {"MESSAGE": "x", **two},
        {"MESSAGE": "c", "_STREAM_ID": "1"},
        {"MESSAGE": "d", "_STREAM_ID": "1", "_SYSTEMD_INVOCATION_ID": "two"},
        {"MESSAGE": "y", "_STREAM_ID": "2"},
    ]
    assert [entry["MESSAGE"] for entry in of_invocation(log, "one")] == ["Starting A", "a", "b", "c", "d"]
    assert [entry["MESSAGE"] for entry in of_invocation(log, "two")] == ["Starting A", "x", "y"]


def test_if_no_line_of_a_process_has_the_id_of_the_one_that_ended_fatal_lines_count() -> None:
    """A busy host: journald was late. What the former process logged when it was stopped does not count."""
    ended = [
        {"MESSAGE": EXITED, "INVOCATION_ID": "one"},
        {"MESSAGE": f"{NAME}: Start request repeated too quickly.", "INVOCATION_ID": "one"},
    ]
    stopped = [{"MESSAGE": "stopping", "_SYSTEMD_INVOCATION_ID": "zero"}]
    late = [{"MESSAGE": WARNING, "_STREAM_ID": "1"}, {"MESSAGE": FAILED, "_STREAM_ID": "1"}]
    assert chosen(NAME, of_ended(NAME, [*stopped, *late, *ended], "one")) == [FAILED]
    assert chosen(NAME, of_ended(NAME, [*stopped, *ended], "one")) == [text["MESSAGE"] for text in ended]
    assert of_ended(NAME, stopped, "") == stopped


def test_the_priority_set_by_the_process_counts() -> None:
    """Our own units mark theirs; the mark is gone from the text by then."""
    assert chosen(
        NAME, entries("a", "b") + entries("cannot read the configuration", priority="3") + entries("c", "stopping")
    ) == [
        "cannot read the configuration",
        "stopping",
    ]


def test_a_long_line_is_shortened() -> None:
    assert [len(line) for line in chosen(NAME, entries("x" * 10_000))] == [LINE_LIMIT]
