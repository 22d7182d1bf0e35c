"""Entries are merged into the content of a kubeconfig file and removed from it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.credentials.stanzas import Stanza, document, environments, merged, without
from rancherctl.errors import ConflictError

DEMO = Stanza("demo", "https://10.0.0.1:6443", "PEM\n", "uid-1")
FOREIGN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://w"}, "unknown": 1}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "demo", "context": {"cluster": "work", "user": "me"}}],
    "current-context": "demo",
    "preferences": {"colors": True},
    "future-field": {"a": [1, 2]},
}


def test_a_stanza_runs_the_plugin_and_has_no_token() -> None:
    data = document(DEMO)
    user = data["users"][0]["user"]
    assert user["exec"]["args"] == ["--env", "demo"]
    assert user["exec"]["interactiveMode"] == "Never"
    assert set(user) == {"exec", "extensions"}
    assert data["current-context"] == "demo"


def test_merging_twice_changes_nothing_the_second_time() -> None:
    once, name = merged({}, DEMO)
    assert name == "demo"
    assert merged(once, DEMO)[0] == once


def test_names_of_foreign_entries_are_never_used_silently() -> None:
    before = copy.deepcopy(FOREIGN)
    with pytest.raises(ConflictError, match="context 'demo'"):
        merged(FOREIGN, DEMO)
    assert before == FOREIGN


def test_rename_chooses_the_first_free_name() -> None:
    new, name = merged(FOREIGN, DEMO, on_conflict="rename")
    assert name == "demo-2"
    assert merged(new, DEMO)[1] == "demo-2", "it is found again by its mark"
    assert merged(new, DEMO)[0] == new
    assert without(new, "demo") == FOREIGN | {"current-context": ""}


def test_replace_overwrites_the_foreign_entry() -> None:
    new, name = merged(FOREIGN, DEMO, on_conflict="replace")
    assert name == "demo"
    assert [c["context"]["cluster"] for c in new["contexts"]] == ["rancherctl-demo"]


def test_an_environment_with_another_uid_is_another_environment() -> None:
    old, _ = merged({}, DEMO)
    with pytest.raises(ConflictError):
        merged(old, Stanza("demo", "https://other", "PEM", "uid-2"))
    new, name = merged(old, Stanza("demo", "https://other", "PEM", "uid-2"), on_conflict="rename")
    assert name == "demo-2"
    assert len(new["clusters"]) == 2
    assert without(new, "demo", "uid-2")["clusters"] == old["clusters"]


def test_fields_that_the_user_added_to_an_entry_stay() -> None:
    new, _ = merged({}, DEMO)
    new["contexts"][0]["context"]["namespace"] = "mine"
    new["contexts"][0]["context"]["extensions"].append({"name": "other", "extension": {}})
    again, _ = merged(new, Stanza("demo", "https://moved", "PEM", "uid-1"))
    assert again["contexts"][0]["context"]["namespace"] == "mine"
    assert {e["name"] for e in again["contexts"][0]["context"]["extensions"]} == {"other", "rancherctl.io"}
    assert again["clusters"][0]["cluster"]["server"] == "https://moved"


def test_a_renamed_context_is_still_recognised() -> None:
    new, _ = merged({}, DEMO)
    new["contexts"][0]["name"] = "production"
    assert merged(new, DEMO)[1] == "production"
    assert list(environments(new)) == [("demo", "production")]
    assert without(new, "demo")["contexts"] == []


def test_the_current_context_stays_without_use() -> None:
    new, _ = merged(FOREIGN, DEMO, "d", use=False)
    assert new["current-context"] == "demo"
    assert without(new, "demo")["current-context"] == "demo"


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), lambda v: st.lists(v, max_size=2) | st.dictionaries(st.text(max_size=4), v, max_size=2), max_leaves=5)  # fmt: skip  # noqa: E501


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["clusters", "users", "contexts", "x", "current-context"]), values))
def test_rm_after_merge_restores_any_file(data: dict[str, Any]) -> None:
    new, _ = merged(data, DEMO, use=False)
    back = without(new, "demo")
    for kind in ("clusters", "users", "contexts"):
        kept = [r for r in data[kind] if isinstance(r, dict)] if isinstance(data.get(kind), list) else []
        assert back[kind] == kept
    assert back.get("x") == data.get("x")
