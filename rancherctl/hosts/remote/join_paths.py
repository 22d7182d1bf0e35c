"""Start and stop a host's part of the check before a join, and run its probes.

The program itself (pod_paths.join_site) comes with the request, and runs as a transient unit with a time limit:
whatever happens to the connection, to the operator's machine or to the process, systemd takes everything back.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any, Final

from rancherctl.hosts.remote.disk import StepError
from rancherctl.hosts.remote.run import has_program, last_lines, run

UNIT: Final = "rancherctl-join-paths.service"
FOLDER: Final = Path("/run/rancherctl-join-paths")
LIMIT_SECONDS: Final = 60


def start(request: dict[str, Any]) -> dict[str, Any]:
    """Install ``modules`` ([name, text] each) and ``config``, and start the unit; returns when it is ready."""
    for program in ("ip", "systemd-run"):
        if not has_program(program):
            raise StepError(f"{program} is not installed")
    stop({})
    FOLDER.mkdir(mode=0o700)
    for name, text in request["modules"]:
        path = FOLDER / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (FOLDER / "config.json").write_text(json.dumps(request["config"]))
    for action in ("serve", "clean"):
        (FOLDER / f"{action}.py").write_text(
            f"import sys\nsys.path.insert(0, {str(FOLDER)!r})\n"
            f"from rancherctl.pod_paths.join_site import main\nmain({action!r}, {str(FOLDER)!r})\n"
        )
    python = f"{sys.executable} -IS -B {FOLDER}"
    properties = (
        "Description=Check of the paths of pods before a join (rancherctl)",
        "Type=notify",
        "NotifyAccess=main",
        "TimeoutStartSec=20",
        f"RuntimeMaxSec={LIMIT_SECONDS}",
        "TimeoutStopSec=5",
        f"ExecStopPost={python}/clean.py",
    )
    words = [word for each in properties for word in ("-p", each)]
    argv = ("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", *words, *f"{python}/serve.py".split())
    done = run(*argv, timeout=40)
    if done.returncode:
        why = last_lines(run("journalctl", "-q", "-n", "3", "-o", "cat", "-u", UNIT), 3)
        stop({})
        raise StepError(f"the check could not start: {why or last_lines(done)}")
    return {}


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """Answer ``{"results": […]}`` for ``probes``, sent from the place of a pod, ``timeout`` seconds each."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(4 * request["timeout"] + 10)
        sock.connect(str(FOLDER / "probe.sock"))
        sock.sendall(json.dumps({"probes": request["probes"], "timeout": request["timeout"]}).encode() + b"\n")
        answer = json.loads(_read(sock))
    if "ok" not in answer:
        raise StepError(str(answer.get("error")))
    return {"results": answer["ok"]}


def stop(_: dict[str, Any]) -> dict[str, Any]:
    """Answer which packets were noted, and end everything; does nothing if the check does not run."""
    noted: dict[str, Any] = {"sent": [], "seen": []}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(str(FOLDER / "pairs.sock"))
            noted = json.loads(_read(sock))
    except (FileNotFoundError, ConnectionError):
        pass  # it does not run
    run("systemctl", "stop", UNIT, timeout=30)
    if FOLDER.exists():  # the unit never started
        clean = FOLDER / "clean.py"
        if clean.exists():
            run(sys.executable, "-IS", "-B", os.fspath(clean), timeout=30)
        shutil.rmtree(FOLDER, ignore_errors=True)
    return noted


def _read(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(1 << 16):
        data += more
    return data


OPERATIONS = {"start_join_paths": start, "probe_join_paths": probe, "stop_join_paths": stop}
