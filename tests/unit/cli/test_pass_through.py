"""Commands that run another program: it gets its arguments unchanged and decides exit code and signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rancherctl.bundle.model import MANIFEST, BundleFile, manifest
from rancherctl.cli.context import CommandRun
from rancherctl.cli.kubectl_program import find_kubectl
from rancherctl.errors import NotFoundError
from rancherctl.settings import Dirs, Settings

PROGRAM = "import sys; from rancherctl.cli.app import main; sys.exit(main(sys.argv[1:]))"
FAKE = """#!/bin/sh
for word in "$@"; do printf '<%s>' "$word"; done
grep SigIgn /proc/self/status
cat
exit 42
"""
ENVIRONMENT = """\
apiVersion: rancherctl.io/v1alpha1
kind: Environment
metadata: {name: demo}
spec:
  kubernetes: {version: 1.36.3}
  hosts:
  - {name: h1, address: 10.0.0.1, roles: [etcd, controlplane, worker]}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An operator with one environment, and a kubectl that prints its arguments."""
    known = tmp_path / ".config/rancherctl/environments"
    known.mkdir(parents=True)
    (known / "demo.yaml").write_text(ENVIRONMENT)
    (known / "demo.access.json").write_text(
        json.dumps({"server": "https://127.0.0.1:1", "operator": "o", "session": "s"})
    )
    program(tmp_path / "bin/kubectl")
    return tmp_path


def program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE)
    path.chmod(0o755)


def given(home: Path, *words: str) -> str:
    environ = {"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin"}
    argv = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(argv, input="typed", env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 42, done.stderr
    words_line, _, rest = done.stdout.partition("SigIgn:")
    mask, _, typed = rest.partition("\n")
    assert typed == "typed"
    assert int(mask, 16) & 1 << 12 == 0, "SIGPIPE ends it when its output is closed"
    return words_line


@pytest.mark.parametrize(
    ("words", "got"),
    [
        (["get", "pods", "-ndefault", "-h"], "<get><pods><-ndefault><-h>"),
        (["-ndefault", "get", "pods"], "<-ndefault><get><pods>"),
        (["-n=default", "get", "pods", "-e"], "<-n=default><get><pods><-e>"),
        (["--env", "demo", "exec", "p", "--", "sh", "-c", "x"], "<exec><p><--><sh><-c><x>"),
        (["-e=demo", "--", "get", "--debug"], "<get><--debug>"),
        (["run", "x", "--env", "A=b", "a b", ""], "<run><x><--env><A=b><a b><>"),
    ],
)
def test_kubectl_gets_its_arguments_unchanged(home: Path, words: list[str], got: str) -> None:
    assert given(home, "kubectl", *words) == got


def offered(cache: Path, name: str, version: str, arch: str) -> str:
    folder = cache / "bundles" / name
    artefact = BundleFile("kubernetes", version, "kubectl", "0" * 64, 1, 0o755, "binary", arch)
    program(folder / artefact.path)
    (folder / MANIFEST).write_text(manifest(version, arch, "official", [artefact]).to_json())
    return str(folder / artefact.path)


def test_kubectl_of_a_bundle_is_used_if_none_is_installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", "/nonexistent")
    run = CommandRun(Settings(Dirs(home / ".config/rancherctl", home / "state", home / "cache")))
    with pytest.raises(NotFoundError, match="kubectl is not installed"):
        find_kubectl(run, "demo")
    offered(home / "cache", "z", "1.36.3", "arm64")
    with pytest.raises(NotFoundError):
        find_kubectl(run, "demo")
    (home / "cache/bundles/half-made").mkdir()
    older = offered(home / "cache", "x", "1.9.3", "amd64")
    assert find_kubectl(run, "demo") == older
    newer = offered(home / "cache", "a", "1.37.2", "amd64")
    assert find_kubectl(run, "demo") == newer
    fitting = offered(home / "cache", "b", "1.36.3", "amd64")
    assert find_kubectl(run, "demo") == fitting
    chosen = offered(home / "elsewhere", "mine", "1.35.4", "amd64")
    run.known().save(run.known().read("demo"), str(Path(chosen).parents[2]))
    assert find_kubectl(run, "demo") == chosen


def test_a_folder_named_like_a_bundle_source_is_not_searched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    run = CommandRun(Settings(Dirs(home / ".config/rancherctl", home / "state", home / "cache")))
    run.known().save(run.known().read("demo"), "official")
    offered(home, "official", "1.36.3", {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine])
    monkeypatch.chdir(home / "bundles")
    with pytest.raises(NotFoundError):
        find_kubectl(run, "demo")


ATTENDING = """
import os, sys
from rancherctl.cli import app, exec_replace
app._watch_signals()
exec_replace.GRACE = 0.3
try:
    print("status", exec_replace.run_child(["sh", "-c", sys.argv[1]], os.environ))
except KeyboardInterrupt:
    print("ended")
"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 7", "status 7\n"),
        ("kill -INT $PPID; exit 7", "status 7\n"),
        ("kill -KILL $$", "status 137\n"),
        ("kill -INT $$", "status 130\n"),
        ("trap 'echo left; exit' TERM; kill -TERM $PPID; while :; do sleep 0.1; done", "left\nended\n"),
        ("trap '' TERM; kill -TERM $PPID; while :; do sleep 0.1; done", "ended\n"),
    ],
    ids=["its-code", "ctrl-c", "killed", "interrupted", "ended-with-us", "deaf"],
)
def test_a_child_decides_how_signals_end_it(script: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ATTENDING, script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == said
