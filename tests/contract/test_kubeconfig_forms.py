"""kubeconfig files as people have them: links, owners, line ends, encodings and lists; kubectl reads the result."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rancherctl.credentials.registry import Access, Registry
from tests.fakes.surroundings import CLI, STRANGER

BASE = """apiVersion: v1
kind: Config
clusters:
- name: x
  cluster: {server: "https://10.0.0.9:6443"}
users:
- name: x
  user: {token: "1e3"}
contexts:
- name: x
  context: {cluster: x, user: x}
current-context: x
"""
pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl reads the result")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    environments = tmp_path / "home/.config/rancherctl/environments"
    environments.mkdir(parents=True)
    (environments / "demo.yaml").touch()
    Registry(environments).save(Access("demo", "https://10.0.0.1:6443", "", "ann", "s1", uid="u1"))
    return tmp_path / "home"


def merge(home: Path, kubeconfig: str, *before: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "KUBECONFIG": kubeconfig, "CI": "true"}
    argv = [*before, sys.executable, "-c", CLI, "kubeconfig", "merge", "demo"]
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def contexts(kubeconfig: str, cwd: Path | None = None) -> set[str] | None:
    """The contexts that kubectl finds, None if it cannot read the files."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": kubeconfig}
    argv = ["kubectl", "config", "view", "-o", "jsonpath={.contexts[*].name}"]
    done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    return set(done.stdout.split()) if done.returncode == 0 else None


FORMS: dict[str, bytes] = {
    "CRLF": BASE.replace("\n", "\r\n").encode(),
    "byte order mark": b"\xef\xbb\xbf" + BASE.encode(),
    "UTF-16": BASE.encode("utf-16"),
    "flow": yaml.safe_dump(yaml.safe_load(BASE.replace("1e3", "t")), default_flow_style=True).encode(),
    "JSON": b'{"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":null,"clusters":[]}',
    "anchors": BASE.replace("cluster: {server", "cluster: &c {server").encode()
    + b"preferences: {}\nextensions:\n- name: e\n  extension: *c\n",
    "comments and a document end": b"# mine\n---\n" + BASE.encode() + b"...\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_any_form_that_kubectl_reads_is_extended(home: Path, tmp_path: Path, form: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(FORMS[form])
    file.chmod(0o644)
    assert contexts(str(file)) == {"x"}
    done = merge(home, str(file))
    assert done.returncode == 0, done.stderr
    assert contexts(str(file)) == {"x", "demo"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.parametrize("content", [b"", b"null\n", b"---\n", b"# nothing\n", b"~\n"])
def test_a_file_without_content_is_filled(home: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    assert merge(home, str(file)).returncode == 0
    assert contexts(str(file)) == {"demo"}


BROKEN: dict[str, bytes] = {
    "tabs": BASE.replace("  cluster", "\tcluster").encode(),
    "duplicate names": BASE.replace("users:", "- name: x\n  cluster: {server: y}\nusers:").encode(),
    "invalid UTF-8": BASE.replace("1e3", "\\").encode().replace(b"\\", b"\xff"),
    "a list": b"- a\n- b\n",
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_file_that_kubectl_cannot_read_is_not_changed(home: Path, tmp_path: Path, form: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(BROKEN[form])
    assert contexts(str(file)) is None
    done = merge(home, str(file))
    assert (done.returncode, str(file) in done.stderr) == (2, True)
    assert file.read_bytes() == BROKEN[form]


def linked(home: Path, tmp_path: Path) -> Path:
    (tmp_path / "real").write_text(BASE)
    (tmp_path / "config").symlink_to("real")
    return tmp_path / "config"


def dangling(home: Path, tmp_path: Path) -> Path:
    (tmp_path / "config").symlink_to("real")
    return tmp_path / "config"


@pytest.mark.parametrize("make", [linked, dangling])
def test_a_symbolic_link_stays_one(home: Path, tmp_path: Path, make: Callable[[Path, Path], Path]) -> None:
    file = make(home, tmp_path)
    assert merge(home, str(file)).returncode == 0
    assert file.readlink() == Path("real")
    assert "demo" in (contexts(str(tmp_path / "real")) or ())


def test_a_loop_of_links_is_an_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    done = merge(home, str(tmp_path / "a"))
    assert done.returncode != 0
    assert "Too many levels of symbolic links" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hard_link_keeps_its_other_names(home: Path, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(BASE)
    (tmp_path / "other").hardlink_to(tmp_path / "config")
    done = merge(home, str(tmp_path / "config"))
    assert done.returncode == 0
    assert "written in place, not replaced atomically: it has 2 names (hard links)" in done.stderr
    assert contexts(str(tmp_path / "other")) == {"x", "demo"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config", "home", "other"]


def test_a_file_of_another_user_keeps_its_owner() -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to give a file away")
    script = """
import filelock, os, sys, yaml
from pathlib import Path
from rancherctl.credentials import kubeconfig_files
os.setresuid(54321, 54321, 54321)
print(kubeconfig_files.update(Path(sys.argv[1]), lambda data: {**data, "current-context": ""}, print))
"""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed for others
        folder = Path(name)
        folder.chmod(0o777)
        file = folder / "config"
        file.write_text(BASE)
        os.chown(file, 12345, 12345)
        file.chmod(0o666)
        argv = [sys.executable, "-c", script, str(file)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "it belongs to another user" in done.stdout
        assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (12345, 0o666)
        assert [path.name for path in folder.iterdir()] == ["config"]


def test_root_keeps_the_owner_of_a_file(home: Path, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root")
    file = tmp_path / "config"
    file.write_text(BASE)
    os.chown(file, 12345, 12345)
    assert merge(home, str(file)).returncode == 0
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12345)


@pytest.mark.parametrize(
    ("listed", "written"),
    [
        ("none:a:b", "a"),
        ("::a::", "a"),
        ("none1:none2", "none2"),
        ("a:a", "a"),
        ("with space/ü", "with space/ü"),
    ],
)
def test_of_several_files_the_one_is_written_that_kubectl_would_write(
    home: Path, tmp_path: Path, listed: str, written: str
) -> None:
    folder = tmp_path / "files"
    (folder / "with space").mkdir(parents=True)
    for name in ("a", "b", "with space/ü"):
        (folder / name).write_text(BASE)
    value = ":".join(str(folder / part) if part else "" for part in listed.split(":"))
    done = merge(home, value)
    assert done.returncode == 0, done.stderr
    assert str(folder / written) in done.stderr
    assert "demo" in (contexts(value) or ())
    assert "demo" in (folder / written).read_text()


def test_a_relative_path_is_one_of_the_working_directory(home: Path, tmp_path: Path) -> None:
    assert merge(home, "config", cwd=tmp_path).returncode == 0
    assert contexts("config", cwd=tmp_path) == {"demo"}


def test_an_unreadable_file_is_named(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(BASE)
    file.chmod(0)
    if subprocess.run([*STRANGER, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    done = merge(home, str(file), *STRANGER)
    assert (done.returncode, f"cannot read {file}" in done.stderr) == (2, True), done.stderr
    assert "$KUBECONFIG selects another file" in done.stderr


def test_nothing_is_lost_while_kubectl_changes_the_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(BASE)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(file)}
    failed: list[str] = []

    def change(number: int) -> None:
        for words in (["set-context", f"c{number}", "--cluster=x"], ["use-context", "x"]):
            for _ in range(200):  # kubectl does not wait for a lock
                argv = ["kubectl", "config", *words]
                done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
                if done.returncode == 0:
                    break
                # it also reads without the lock, and may see what another kubectl has written only in part
                if ".lock" not in done.stderr and "no context exists" not in done.stderr:
                    failed.append(done.stderr)
                    return

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3):
        done = merge(home, str(file)) if number % 2 == 0 else None
        assert done is None or done.returncode == 0, done.stderr
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert contexts(str(file)) == {"x", "demo", "c0", "c1", "c2", "c3"}
    assert not Path(f"{file}.lock").exists()
