"""HTTP answers become the errors that callers tell apart."""

from __future__ import annotations

import random

import pytest

from rancherctl.errors import AuthError, ConflictError, NotFoundError, RancherctlError, UnreachableError, UsageError
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.client import (
    PODS,
    AlreadyExistsError,
    GoneError,
    InvalidObjectError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
)
from rancherctl.kube.http.failures import failure, seconds, status_object


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        (400, InvalidObjectError, 1),
        (401, UnauthorizedError, 4),
        (403, AuthError, 4),
        (404, NotFoundError, 3),
        (409, ConflictError, 5),
        (410, GoneError, 1),
        (422, InvalidObjectError, 1),
        (429, ThrottledError, 1),
        (500, ServerError, 1),
        (503, ThrottledError, 1),
        (504, UnreachableError, 7),
        (302, RancherctlError, 1),
    ],
)
def test_a_status_code_has_its_error_and_exit_code(code: int, kind: type[RancherctlError], exit_code: int) -> None:
    error = failure("GET x", code, {"message": "the API's words"})
    assert type(error) is kind
    assert error.exit_code == exit_code
    assert error.why == "the API's words"


def test_an_existing_name_is_a_separate_kind_of_conflict() -> None:
    assert isinstance(failure("x", 409, {"reason": "AlreadyExists"}), AlreadyExistsError)


@pytest.mark.parametrize(
    ("header", "status", "wanted"),
    [
        ("7", {}, 7.0),
        (None, {"details": {"retryAfterSeconds": 3}}, 3.0),
        ("soon", {}, 0.0),
        ("-1", {}, 0.0),
        ("1e9", {}, 3600.0),
        (None, {}, 0.0),
    ],
)
def test_the_pause_comes_from_the_header_or_the_status(
    header: str | None, status: dict[str, object], wanted: float
) -> None:
    assert seconds(header, status) == wanted


def test_an_error_page_that_is_not_a_status_is_quoted() -> None:
    assert status_object(b"<html>proxy error</html>")["message"] == "<html>proxy error</html>"
    assert status_object(b"\xff\xfe")["message"]


def test_waits_grow_to_their_limit_and_never_undercut_retry_after() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.after(ServerError("x")) for _ in range(40)]
    assert 0.1 <= waits[0] <= 0.2
    assert 15 <= waits[-1] <= 30
    assert 20 <= backoff.after(ThrottledError("x", retry_after=20)) <= 30
    assert 2.5 <= backoff.after(UnreachableError("x")) <= 5
    backoff.reset()
    assert backoff.after(ServerError("x")) <= 0.2
    assert 300 <= backoff.after(ThrottledError("x", retry_after=300)) <= 360


def test_names_cannot_leave_their_collection() -> None:
    assert PODS.path("a/../b", "x?y", "log") == "/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy/log"
    with pytest.raises(UsageError):
        PODS.path("..", "x")
