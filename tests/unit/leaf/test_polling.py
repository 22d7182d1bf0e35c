"""Waiting by polling: which results and errors mean "not yet"."""

from __future__ import annotations

import pytest

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.polling import Tolerant, poll_until


def test_a_retryable_error_means_not_yet_and_any_other_error_ends_the_wait() -> None:
    results = iter((UnreachableError("no route"), False, True))

    def check() -> bool:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    attempts = Tolerant(check)
    assert poll_until(attempts, 5.0, first=0.001) is True
    assert attempts.problem == "no route"

    def refused() -> bool:
        raise AuthError("wrong token")

    with pytest.raises(AuthError):
        poll_until(Tolerant(refused), 5.0)


def test_a_wait_returns_a_false_value_after_its_time_limit() -> None:
    assert not poll_until(lambda: False, 0.0)
