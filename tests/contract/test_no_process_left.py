"""Credential plug-ins, token renewals and tunnels leave no process behind, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rancherctl.credentials.registry import Access, Registry

if sys.platform != "linux":
    pytest.skip("processes are counted in /proc", allow_module_level=True)

MARK = "RANCHERCTL_TEST_MARK"
SLEEP = 'import sys, time; open(sys.argv[-1], "w").close(); time.sleep(300)'
"""A program that says that it runs, and then hangs."""
PLUGIN = "import sys; from rancherctl.credentials.plugin import main; sys.exit(main(sys.argv[1:]))"
EXEC = """
import sys
from pathlib import Path
from rancherctl.cli import app
from rancherctl.credentials.execplugin import Plugin
from rancherctl.credentials.kubeconfig import Exec, Target
app._watch_signals()
exec_ = Exec(sys.argv[1], tuple(sys.argv[2:]), (), "client.authentication.k8s.io/v1", "Never", "", False, Path("/x"))
try:
    Plugin(Target("c", "https://127.0.0.1:1", exec=exec_), lambda _: True)()
except KeyboardInterrupt:
    sys.exit(130)
"""
TUNNEL = """
import sys, time
from rancherctl.cli import app
from rancherctl.environments.openssh_tunnel import OpenSshTunnel
app._watch_signals()
try:
    ssh = (sys.executable, "-c", "print('ready', flush=True)\\n" + sys.argv[1], sys.argv[2])
    with OpenSshTunnel(ssh, "x:1").open():
        time.sleep(300)
except KeyboardInterrupt:
    sys.exit(130)
"""


def marked(mark: str) -> list[int]:
    """The processes with this variable, which children inherit."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def wait_for(condition: object, *, seconds: float = 60.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    for pid in marked(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def started(mark: str, tmp_path: Path, kind: str, *before: str, **environ: str) -> subprocess.Popen[bytes]:
    """A run that waits for the hanging program."""
    begun = tmp_path / "begun"
    hanging = (sys.executable, "-c", SLEEP, str(begun))
    if kind == "renewal":
        access = Access("demo", "https://127.0.0.1:1", "", "ann", "s1", issue=(hanging,))
        Registry(tmp_path / ".config/rancherctl/environments").save(access)
        words = [PLUGIN, "--env", "demo"]
    elif kind == "grandchild":
        words = [EXEC, "/bin/sh", "-c", '"$@"; exit 1', "sh", *hanging]
    elif kind == "plugin":
        words = [EXEC, *hanging]
    else:
        words = [TUNNEL, SLEEP, str(begun)]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CI": "true", MARK: mark, **environ}
    argv = [*before, sys.executable, "-c", *words]
    # The tests may run with SIGHUP ignored (nohup), which children inherit.
    at_start = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
    silent = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=env, stdout=silent, stderr=silent, preexec_fn=at_start)  # noqa: PLW1509
    assert wait_for(begun.exists)
    return process


@pytest.mark.parametrize("kind", ["renewal", "plugin", "grandchild", "tunnel"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupted_run_ends_what_it_has_started(mark: str, tmp_path: Path, kind: str, name: str) -> None:
    process = started(mark, tmp_path, kind)
    assert len(marked(mark)) >= 2
    process.send_signal(getattr(signal, name))
    assert process.wait(60) == 130
    assert wait_for(lambda: marked(mark) == [])


@pytest.mark.parametrize("kind", ["renewal", "plugin", "tunnel"])
def test_a_killed_run_leaves_no_child(mark: str, tmp_path: Path, kind: str) -> None:
    process = started(mark, tmp_path, kind)
    process.kill()
    process.wait(60)
    assert wait_for(lambda: marked(mark) == [])


def test_a_plugin_ends_with_the_client_that_runs_it(mark: str, tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    process = started(mark, tmp_path, "renewal", sys.executable, "-c", code, KUBERNETES_EXEC_INFO="{}")
    assert len(marked(mark)) == 3
    process.kill()
    process.wait(60)
    assert wait_for(lambda: marked(mark) == [])


def test_a_renewal_in_the_background_does_not_end_with_the_shell_that_started_it(mark: str, tmp_path: Path) -> None:
    process = started(mark, tmp_path, "renewal", "sh", "-c", '"$@" & wait', "sh")
    process.kill()
    process.wait(60)
    assert len(marked(mark)) == 2


def test_a_plugin_that_takes_too_long_is_ended_with_what_it_has_started(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rancherctl import children

    monkeypatch.setenv(MARK, mark)
    argv = ["sh", "-c", "trap '' TERM; sleep 300 & sleep 300"]
    with pytest.raises(subprocess.TimeoutExpired):
        children.run(argv, timeout=0.5)
    assert wait_for(lambda: [pid for pid in marked(mark) if pid != os.getpid()] == [])
