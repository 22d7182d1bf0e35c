"""Operators and sessions as values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.credentials import tokens


@pytest.mark.parametrize("name", ["alice", "a1", "deploy-bot"])
def test_plain_names_are_unchanged(name: str) -> None:
    assert tokens.operator_name(name) == name


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_every_name_becomes_a_valid_service_account_name(text: str) -> None:
    name = tokens.operator_name(text)
    assert len(tokens.session_secret(name, "0" * 4)) <= 253
    assert len(tokens.refresher(name)) <= 63
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in name)
    assert not name.startswith("-")
    assert not name.endswith("-")


def test_different_people_never_share_an_account() -> None:
    assert len({tokens.operator_name(n) for n in ("bob@a", "bob-a", "Bob@a", "bob.a", "bob a")}) == 5


def test_no_operator_gets_the_name_of_a_refresher() -> None:
    """The account would get an operator's rights, and alice's long-lived token with them."""
    name = tokens.operator_name("refresh-alice")
    assert not name.startswith("refresh-")
    assert name != tokens.operator_name("operator-refresh-alice")


def test_the_refresher_may_only_create_tokens() -> None:
    roles = [o for o in tokens.operator_objects("alice") if o["kind"] == "Role"]
    only = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["alice"], "verbs": ["create"]}
    assert [r["rules"] for r in roles] == [[only]]
    bound = [o for o in tokens.operator_objects("alice") if o["kind"].endswith("Binding")]
    assert {(o["kind"], o["roleRef"]["name"], o["subjects"][0]["name"]) for o in bound} == {
        ("ClusterRoleBinding", "cluster-admin", "alice"),
        ("RoleBinding", "refresh-alice", "refresh-alice"),
    }
