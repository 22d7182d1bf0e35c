"""Boot a host with systemd-nspawn and know when it is up. The command line is pure; ``boot`` runs it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rancherctl.lab import cgroups, process
from rancherctl.lab.command import LabError, run
from rancherctl.lab.machine import CgroupMode, Machine
from rancherctl.lab.model import Lab, LabHost, machine_name
from rancherctl.lab.network import bridge, inside
from rancherctl.lab.paths import HostPaths
from rancherctl.lab.supervisor import HOST_GROUP, LOOP_GROUP, START, SUPERVISE

RUNTIME = Path("/run/systemd/nspawn")
BOOT_LIMIT = 300.0  # seconds until a host's init says it is up


def environment(mode: CgroupMode, notify: Path) -> dict[str, str]:
    """Environment of nspawn. Its seccomp filter forbids what runc and kubelet need; hosts own their network knobs."""
    common = {
        "PATH": os.defpath,
        "SYSTEMD_SECCOMP": "0",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        "NOTIFY_SOCKET": str(notify),
    }
    return common | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1" if mode == "v2" else "0"}


def arguments(lab: Lab, host: LabHost, own: HostPaths, machine: Machine) -> list[str]:
    """The systemd-nspawn command line. Without the dropped capabilities a host could set the machine's clock."""
    binds = [f"--bind={own.var_lib}:/var/lib", *(f"--bind={path}" for path in machine.shared)]
    binds += [f"--bind-ro={path}" for path in machine.shared_read_only]
    return [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe", "--notify-ready=yes",
        "--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE", "--resolv-conf=off", "--timezone=off",
        "--link-journal=no",
        f"--directory={own.mount}", f"--machine={machine_name(lab.name, host.name)}", f"--hostname={host.name}",
        f"--network-bridge={bridge(host.subnet)}", *binds,
    ]  # fmt: skip


def launcher(
    lab: Lab, host: LabHost, own: HostPaths, machine: Machine, *, tree: Path, groups: Sequence[Path]
) -> list[str]:
    """The complete command: background, control groups, namespaces, overlay, nspawn. Prints the loop's pid."""
    overlay = f"lowerdir={tree},upperdir={own.upper},workdir={own.work}"
    enter = ["sh", "-c", SUPERVISE, "sh", str(len(groups)), *map(str, groups), overlay, str(own.mount)]
    spaces = [*inside(lab), "unshare", "--mount", "--propagation", "private"]
    return ["sh", "-c", START, "sh", str(own.console), "setsid", *spaces, *enter, *arguments(lab, host, own, machine)]


def boot(lab: Lab, host: LabHost, own: HostPaths, machine: Machine, tree: Path) -> process.Process:
    """Start the host and wait until its init is ready; returns its supervisor (also kept in ``own.run``).

    LabError with the console's last lines when it dies, TimeoutExceededError after BOOT_LIMIT.
    """
    for group in (LOOP_GROUP, HOST_GROUP):
        cgroups.create(machine.cgroups, lab.name, host.name, group)
    groups = cgroups.folders(machine.cgroups, lab.name, host.name)
    own.console.unlink(missing_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="rancherctl-lab-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
    ):
        notify = Path(folder) / "notify"
        ready.bind(str(notify))
        command = launcher(lab, host, own, machine, tree=tree, groups=groups)
        pid = int(run(command, env=environment(machine.cgroups.mode, notify)))
        supervisor = process.identify(pid)
        if supervisor is None:
            raise died(host, own)
        own.run.write_text(json.dumps({"pid": supervisor.pid, "started": supervisor.started}), encoding="ascii")
        wait_ready(host, own, supervisor, ready)
    return supervisor


def wait_ready(host: LabHost, own: HostPaths, supervisor: process.Process, ready: socket.socket) -> None:
    """Wait for READY=1 on the socket, or for the end of the supervisor."""
    handle = process.open_pidfd(supervisor.pid)
    if handle is None:
        raise died(host, own)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, handle)
        while True:
            if (
                process.wait_first(
                    (ready.fileno(), handle), BOOT_LIMIT, f"the boot of {host.name} (console: {own.console})"
                )
                == handle
            ):
                raise died(host, own)
            if b"READY=1" in ready.recv(4096).split(b"\n"):
                return


def died(host: LabHost, own: HostPaths) -> LabError:
    """The error for a host whose supervisor ended, with the last lines of its console."""
    text = own.console.read_text(encoding="utf-8", errors="replace") if own.console.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return LabError(
        f"host {host.name} did not boot",
        why=" / ".join(lines[-4:]) or "its console is empty",
        hint=f"see {own.console}",
    )


def supervisor_of(own: HostPaths) -> process.Process | None:
    """The loop around nspawn of a host with power; None for one that is stopped."""
    try:
        kept = json.loads(own.run.read_text(encoding="ascii"))
    except (FileNotFoundError, json.JSONDecodeError):  # stopped, or the machine crashed while it was written
        return None
    found = process.Process(int(kept["pid"]), int(kept["started"]))
    return found if found.alive() else None


def leader_of(own: HostPaths) -> process.Process | None:
    """The host's init as seen from the machine; None if the host is stopped or between two boots of a reboot."""
    supervisor = supervisor_of(own)
    container = None if supervisor is None else process.child_of(supervisor.pid)
    return None if container is None else process.child_of(container.pid)


def tidy(machine_name: str, runtime: Path = RUNTIME) -> None:
    """Remove the run time folders of a host whose nspawn was killed before it could do so itself."""
    for folder in runtime.glob(f"*/{machine_name}"):
        shutil.rmtree(folder)
