"""Entries are merged into a kubeconfig file and removed from it."""

from __future__ import annotations

import copy
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.credentials import documents, kubeconfig_files
from rancherctl.credentials.kubeconfig import merge, resolve
from rancherctl.credentials.kubeconfig_files import read, update
from rancherctl.credentials.stanzas import Stanza, document, environments, merged, without
from rancherctl.errors import ConflictError, LockedError, UsageError

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


def test_a_file_is_replaced_through_a_link_with_its_mode(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config"
    real.parent.mkdir()
    real.write_bytes(documents.dump(FOREIGN))
    real.chmod(0o640)
    link = tmp_path / "config"
    link.symlink_to(real)
    assert update(link, lambda d: merged(d, DEMO, "d")[0], print)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert documents.load_first(real.read_bytes(), "x")[0]["future-field"] == {"a": [1, 2]}
    before = real.stat()
    assert not update(link, lambda d: merged(d, DEMO, "d")[0], print)
    assert real.stat().st_mtime_ns == before.st_mtime_ns
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config", "dotfiles"]
    assert [p.name for p in real.parent.iterdir()] == ["config"]


def test_a_new_file_is_private_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "config"
    assert update(path, lambda d: merged(d, DEMO)[0], print)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert resolve(merge(read([path]))).server == "https://10.0.0.1:6443"


def test_an_unreadable_file_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("clusters: [\n")
    with pytest.raises(UsageError):
        update(path, lambda d: merged(d, DEMO)[0], print)
    assert path.read_text() == "clusters: [\n"
    assert [p.name for p in tmp_path.iterdir()] == ["config"], "the lock is released"


def test_kubectls_lock_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig_files, "LOCK_SECONDS", 0.2)
    path = tmp_path / "config"
    lock = Path(f"{path}.lock")
    os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0))
    os.utime(lock, (1, 1))  # however long it takes
    with pytest.raises(LockedError, match=r"config\.lock"):
        update(path, lambda d: merged(d, DEMO)[0], print)
    assert lock.exists(), "it belongs to the other program"


def test_a_stale_lock_of_a_killed_process_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "config"
    program = """import os, sys; from filelock import SoftFileLock
lock = SoftFileLock(sys.argv[1]); lock.acquire(); os._exit(0)"""
    subprocess.run([sys.executable, "-c", program, f"{path}.lock"], check=True, timeout=60)
    assert Path(f"{path}.lock").exists()
    assert update(path, lambda d: merged(d, DEMO)[0], print)


def test_eight_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config"
    threads = [
        threading.Thread(
            target=update, args=(path, lambda d, n=n: merged(d, Stanza(f"e{n}", "https://x", ""))[0], print)
        )
        for n in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(documents.load_first(path.read_bytes(), "x")[0]["contexts"]) == 8


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl reads what we wrote")
def test_kubectl_reads_and_changes_a_merged_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(documents.dump(FOREIGN | {"current-context": "y"}))
    update(path, lambda d: merged(d, DEMO, "no", use=False)[0], print)
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": str(path)}
    kubectl = str(shutil.which("kubectl"))
    subprocess.run([kubectl, "config", "use-context", "no"], env=env, check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        [kubectl, "config", "view", "--raw", "--minify", "-o", "json"],
        env=env,
        check=True,
        capture_output=True,
        timeout=60,
    )
    data = json.loads(done.stdout)
    assert data["clusters"][0]["cluster"]["server"] == DEMO.server
    assert data["users"][0]["user"]["exec"]["command"] == "rancherctl-credential"
    update(path, lambda d: without(d, "demo"), print)
    left = documents.load_first(path.read_bytes(), "x")[0]
    assert [c["name"] for c in left["contexts"]] == ["demo"]
    assert left["current-context"] == ""
