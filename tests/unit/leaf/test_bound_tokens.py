"""Tokens of ServiceAccounts: what an answer says of their lifetime."""

from __future__ import annotations

import base64
import json

import pytest

from rancherctl import bound_tokens


def jwt(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"x.{body}.x"


def test_a_lifetime_is_measured_by_the_servers_clock_alone() -> None:
    """The local clock is a day ahead: the token is still valid for its hour."""
    answer = {"status": {"token": jwt(iat=1_000_000), "expirationTimestamp": "1970-01-12T14:46:40Z"}}
    token = bound_tokens.parse(answer, now=1_000_000 + 86_400)
    assert token.seconds == 3600
    assert token.expires == 1_003_600
    assert "x." not in repr(token)


def test_without_an_issue_time_the_local_clock_counts() -> None:
    answer = json.dumps({"status": {"token": "opaque", "expirationTimestamp": "1970-01-12T14:46:40Z"}}).encode()
    assert bound_tokens.parse(answer, now=1_003_000).seconds == 600


@pytest.mark.parametrize(
    "bad", [{}, {"status": {}}, {"status": {"token": "x"}}, {"status": {"token": "x", "expirationTimestamp": "soon"}}]
)
def test_answers_without_a_token_are_errors(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no token|Invalid"):
        bound_tokens.parse(bad, 0)
