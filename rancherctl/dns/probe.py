"""Ask upstream resolvers test questions over UDP: any answer is a sign of life."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rancherctl.dns import upstreams
from rancherctl.dns.upstreams import ProbeResult
from rancherctl.dns.wire import IN, TYPES, plain_name

TIMEOUT, SLOW_TIMEOUT = 1.0, 2.0
"""Seconds that all answers of one probe may take; the second while an upstream is in doubt: it may just be slow."""
_NS = 2
_KINDS = {**TYPES, "NS": _NS}
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
_USEFUL = frozenset({0, 3})

Question = tuple[str, str]
"""Name and type."""
Use = tuple[str, str]
"""A stub domain ("" = all other names) and the upstream (``IP[:PORT]``) that answers it."""
QUESTIONS: tuple[Question, ...] = ((".", "NS"), (".", "SOA"), ("localhost.", "A"), ("example.com.", "A"))
"""The first one is asked; the others too if it is not answered well: filters drop questions about the root."""


def questions(domain: str) -> tuple[Question, ...]:
    """The test questions for an upstream, or for a server of a stub domain."""
    return ((f"{domain}.", "SOA"), (f"{domain}.", "NS"), *QUESTIONS) if domain else QUESTIONS


@dataclass(slots=True)
class _Attempt:
    """The questions to one upstream in progress; ``codes`` are the answers' codes by question."""

    asked: dict[bytes, Question] = field(default_factory=dict)
    codes: dict[Question, int] = field(default_factory=dict)
    ms: float | None = None
    error: str = ""
    sock: socket.socket | None = None

    @property
    def open(self) -> bool:
        return not self.error and len(self.codes) < len(self.asked)


def probe(asked: Mapping[Use, Sequence[Question]], *, timeout: float = TIMEOUT) -> dict[Use, ProbeResult]:
    """Ask each upstream its questions, all at the same time; waits until all have answered all."""
    attempts = {use: _Attempt() for use in asked}
    began = time.monotonic()
    try:
        for use, attempt in attempts.items():
            _send(use[1], asked[use], attempt)
        while waiting := {a.sock: a for a in attempts.values() if a.sock is not None and a.open}:
            left = began + timeout - time.monotonic()
            if left <= 0:
                break
            for sock in select.select(list(waiting), [], [], left)[0]:
                _receive(waiting[sock], began)
    finally:
        for attempt in attempts.values():
            if attempt.sock is not None:
                attempt.sock.close()
    return {use: _result(attempt, timeout) for use, attempt in attempts.items()}


def _send(upstream: str, asked: Sequence[Question], attempt: _Attempt) -> None:
    place = upstreams.server(upstream)
    if place is None:
        attempt.error = "not a valid address"
        return
    try:
        attempt.sock = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_DGRAM)
        attempt.sock.setblocking(False)
        attempt.sock.connect(place)
        for question in asked:
            number = os.urandom(2)
            while number in attempt.asked:
                number = os.urandom(2)
            attempt.asked[number] = question
            head = number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0)
            attempt.sock.send(head + plain_name(question[0]) + struct.pack("!HH", _KINDS[question[1]], IN))
    except OSError as error:  # no route, a kernel without IPv6, or a host that refuses the packet
        attempt.error = _text(error)


def _receive(attempt: _Attempt, began: float) -> None:
    assert attempt.sock is not None
    try:
        data = attempt.sock.recv(4096)
    except OSError as error:  # the upstream's host refused the packet
        attempt.error = _text(error)
        return
    question = attempt.asked.get(data[:2])
    if len(data) < 12 or question is None or not data[2] & 0x80:
        return
    code = data[3] & 0x0F
    if attempt.ms is None:
        attempt.ms = round((time.monotonic() - began) * 1e3, 2)
    attempt.codes.setdefault(question, code)


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _result(attempt: _Attempt, timeout: float) -> ProbeResult:
    """What the answers mean: any is a sign of life, and one that says nothing useful needs the operator's attention."""
    asked = list(attempt.asked.values())
    if not attempt.codes:
        listed = ", ".join(map(" ".join, asked))
        return ProbeResult(False, attempt.error or f"no answer within {timeout:g} s ({listed})")
    useful = [question for question, code in attempt.codes.items() if code in _USEFUL]
    first = asked[0]
    if useful:
        if first not in attempt.codes:
            note = f"does not answer {' '.join(first)}"
        else:
            note = "" if first in useful else f"answers {_code(attempt.codes[first])} to {' '.join(first)}"
        return ProbeResult(True, note=note, ms=attempt.ms)
    codes = " and ".join(sorted({_code(code) for code in attempt.codes.values()}))
    listed = ", ".join(map(" ".join, attempt.codes))
    return ProbeResult(True, f"answers {codes} to all test queries ({listed})", ms=attempt.ms)


def _code(number: int) -> str:
    return _RCODES.get(number, f"code {number}")
