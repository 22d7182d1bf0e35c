"""The token of an environment after the API server has refused it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rancherctl.bound_tokens import Token
from rancherctl.cli.api import EnvironmentToken
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.renewal import Renewal
from rancherctl.credentials.store import SecretStore
from rancherctl.credentials.token_cache_writer import write_token
from rancherctl.secret import Secret

HOUR = 3600.0
ISSUE = """import json, sys; print(json.dumps({"token": {"status":
{"token": sys.argv[1], "expirationTimestamp": "2999-01-01T00:00:00Z"}}}))"""


def signed_in(tmp_path: Path, issued: str) -> EnvironmentToken:
    """An environment whose cached token is "old"; its host issues ``issued``."""
    registry = Registry(tmp_path / "environments")
    issue = ((sys.executable, "-c", ISSUE, issued),)
    registry.save(Access("demo", "https://127.0.0.1:1", "", "ann", "laptop", issue=issue))
    store = SecretStore(tmp_path / "secrets.json", None, lambda _: None)
    renewal = Renewal(registry, store, tmp_path / "tokens")
    write_token(renewal.token_file("demo"), Token(Secret("old"), 0, HOUR), renewal.wall())
    return EnvironmentToken(renewal, "demo")


def test_a_refused_cached_token_is_replaced(tmp_path: Path) -> None:
    token = signed_in(tmp_path, "new")
    assert token() == "old"
    assert token.renew("old")
    assert token() == "new"
    assert json.loads(token.renewal.document("demo"))["status"]["token"] == "new"


def test_a_token_that_another_process_has_replaced_is_not_renewed_again(tmp_path: Path) -> None:
    token = signed_in(tmp_path, "third")
    assert token.renew("older")
    assert token() == "old"


def test_the_same_token_again_does_not_count_as_renewed(tmp_path: Path) -> None:
    assert not signed_in(tmp_path, "old").renew("old")
