"""kubeconfig files are read, trusted, locked and replaced; what cannot be changed stays as it was."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from rancherctl.credentials import documents, kubeconfig_files
from rancherctl.credentials.kubeconfig import merge, paths, resolve
from rancherctl.credentials.kubeconfig_files import read, trusted, update
from rancherctl.credentials.stanzas import Stanza, merged
from rancherctl.errors import InvalidInputError, LockedError, UsageError


def test_a_folder_is_not_a_kubeconfig_file(tmp_path: Path) -> None:
    with pytest.raises((UsageError, InvalidInputError)):
        merge(read(paths("", {"KUBECONFIG": str(tmp_path)})))


def test_only_the_users_own_files_may_run_plugins(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    own, elsewhere, open_to_all = home / ".kube/config", tmp_path / "download", home / ".kube/shared"
    for f in (own, elsewhere, open_to_all):
        f.write_text("")
        f.chmod(0o600)
    open_to_all.chmod(0o666)
    assert trusted(own, (), home)
    assert not trusted(elsewhere, (), home)
    assert trusted(elsewhere, (elsewhere,), home)
    assert not trusted(open_to_all, (open_to_all,), home)
    assert not trusted(home / ".kube/none", (), home)
    (home / ".kube/link").symlink_to(elsewhere)
    assert not trusted(home / ".kube/link", (), home)


ONE = """apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://a"}}]
contexts: [{name: a, context: {cluster: a, user: ""}}]
current-context: a
"""


def test_a_file_of_several_documents_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    for text in (f"{ONE}---\n{ONE}", f"{ONE}---\nclusters: [\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match="several documents"):
            update(path, lambda data: {**data, "current-context": ""}, print)
        assert path.read_text() == text


def test_a_separator_at_the_end_of_a_file_does_not_prevent_changes(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"{ONE}---\n# the end\n")
    assert update(path, lambda data: {**data, "current-context": ""}, print)
    assert read([path])[0].data["current-context"] == ""


def test_a_kubeconfig_file_may_be_read_from_a_pipe() -> None:
    reader, writer = os.pipe()
    os.write(writer, ONE.encode())
    os.close(writer)
    try:
        assert resolve(merge(read([Path(f"/dev/fd/{reader}")]))).server == "https://a"
    finally:
        os.close(reader)


def test_a_pipe_is_not_changed_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config")
    with pytest.raises(UsageError, match="cannot be changed"):
        update(tmp_path / "config", lambda data: data, print)
    assert [p.name for p in tmp_path.iterdir()] == ["config"]


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
