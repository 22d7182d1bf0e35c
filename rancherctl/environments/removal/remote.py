"""Runs on a host: records its original state, removes what the environment left, lists leftovers.

Sent as text; standard library and hosts.remote.disk only. One JSON request on standard input, one JSON answer on
standard output. A step that fails does not stop the others; what remains is listed.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from typing import Any

from rancherctl.hosts.remote import disk

SYSCTLS = (
    "net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/ipv4/conf/all/route_localnet", "vm/overcommit_memory",
    "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip
"""Kernel settings that rancherctl, kubelet or kube-proxy write."""
KUBE_CHAIN = "KUBE-"
PORT_CHAINS = ("CNI-HOSTPORT-", "CNI-DN-")
"""Chains that portmap creates for pods with host ports (or an nft table, cni_hostport).

Other software may use portmap, too: chains from before the first change stay.
"""
SHIMS = "/opt/rancherctl/containerd/"
MOUNTS = "/proc/self/mountinfo"


def run(*words: str) -> tuple[int, str]:
    """Exit status and output of a command; 127 if it is not installed."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        return 127, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def read_text(path: str) -> str | None:
    """The text of a file, or None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def remember(request: dict[str, Any]) -> dict[str, Any]:
    """Record the state of the host before the first change; does nothing if a record exists.

    ``there`` lists those of the request's ``maybe`` and ``spare`` paths that existed.
    """
    path = request["path"]
    if os.path.exists(path):
        return {"new": False}
    candidates = [*request["maybe"], *request["spare"]]
    before = {
        "sysctls": {name: (read_text("/proc/sys/" + name) or "").strip() for name in SYSCTLS},
        "files": {name: read_text(name) for name in request["files"]},
        "nft": tables(),
        "chains": [" ".join(chain) for chain in chains({"chains": ()})],
        "there": [place for place in candidates if os.path.exists(place)],
    }
    disk.write(path, json.dumps(before).encode(), 0o644, disk.owner_of(os.geteuid(), os.getegid()))
    return {"new": True}


def tables() -> list[str]:
    """All nft tables as ``family name``."""
    return [
        line.split(None, 1)[1] for line in run("nft", "list", "tables")[1].splitlines() if line.startswith("table ")
    ]


def pods() -> list[str]:
    """The cgroup folders of pods, deepest first."""
    found = glob.glob("/sys/fs/cgroup/kubepods*") + glob.glob("/sys/fs/cgroup/*/kubepods*")
    tops = {path for path in found if os.path.isdir(path) and not os.path.islink(path)}
    return [folder for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def program_of(pid: str) -> str:
    """The file that a process runs; "" for kernel threads and processes that have ended."""
    try:
        return os.readlink("/proc/" + pid + "/exe")
    except OSError:
        return ""


def processes(folders: list[str]) -> set[int]:
    """Process IDs in these cgroups, and those of containerd's shims, which belong to no unit.

    Shims are recognised by the file that they run: the arguments of sudo and sh contain this program's text.
    """
    pids = {int(pid) for folder in folders for pid in (read_text(folder + "/cgroup.procs") or "").split()}
    pids |= {int(entry) for entry in os.listdir("/proc") if entry.isdigit() and program_of(entry).startswith(SHIMS)}
    return pids - {os.getpid(), 0}


def mounts(below: tuple[str, ...]) -> list[str]:
    """Mount points below these paths, deepest first, by their real paths.

    The paths themselves are not listed: if they are mount points, they belong to the host.
    """
    with open(MOUNTS, "rb") as file:
        rows = [line.split(b" ", 5)[4] for line in file]
    # the kernel writes white space and backslashes as three octal digits
    found = [os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), row)) for row in rows]
    return sorted(
        (place for place in found if place.startswith(tuple(os.path.realpath(b) + "/" for b in below))), reverse=True
    )


def addresses(wanted: list[str]) -> list[tuple[str, str]]:
    """(device, address/prefix) of the wanted addresses that exist on ``lo``."""
    links = json.loads(run("ip", "-j", "-4", "addr")[1] or "[]")
    return [
        (link["ifname"], f"{info['local']}/{info['prefixlen']}")
        for link in links
        for info in link.get("addr_info", ())
        if info.get("local") in wanted and link["ifname"] == "lo"
    ]


def devices(wanted: list[str]) -> list[str]:
    """Those of the wanted interfaces that exist."""
    return [name for name in wanted if os.path.exists("/sys/class/net/" + name)]


def chains(before: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(tool, table, chain) of the chains of kubelet, kube-proxy and portmap in iptables.

    Chains of portmap count only if ``before`` says that they did not exist; an empty ``before`` means unknown.
    """
    found = []
    for tool in ("iptables", "ip6tables"):
        table = ""
        for line in run(tool + "-save")[1].splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                chain = line[1:].split()[0]
                new = bool(before) and f"{tool} {table} {chain}" not in before.get("chains", ())
                if chain.startswith(KUBE_CHAIN) or (new and chain.startswith(PORT_CHAINS)):
                    found.append((tool, table, chain))
    return found


def jumps(listing: str, target: str) -> list[tuple[str, str]]:
    """(chain, number) of the rules of one table that jump to ``target``, the last one first.

    Rules are deleted by number, because only the tool itself can parse its quoting.
    """
    counts: dict[str, int] = {}
    found = []
    for line in listing.splitlines():
        words = re.sub(r'"(\\.|[^"\\])*"', '""', line).split()
        if words[:1] == ["-A"]:
            counts[words[1]] = counts.get(words[1], 0) + 1
            if ("-j", target) in itertools.pairwise(words):
                found.append((words[1], str(counts[words[1]])))
    return found[::-1]


def clear_chains(before: dict[str, Any]) -> None:
    """Delete the rules that jump to the environment's chains, then the chains."""
    found = chains(before)
    for tool, table, chain in found:
        for place, number in jumps(run(tool + "-save", "-t", table)[1], chain):
            run(tool, "-w", "5", "-t", table, "-D", place, number)
    for verb in ("-F", "-X"):
        for tool, table, chain in found:
            run(tool, "-w", "5", "-t", table, verb, chain)


def empty_table(name: str) -> bool:
    """Whether an nft table has empty chains only, which is what iptables leaves behind."""
    text = run("nft", "-j", "list", "table", *name.split())[1]
    try:
        return {kind for item in json.loads(text)["nftables"] for kind in item} <= {"metainfo", "table", "chain"}
    except (ValueError, KeyError):
        return False


def is_removed_table(request: dict[str, Any], name: str) -> bool:
    """Whether a removal deletes this nft table.

    It does if rancherctl or kube-proxy made it, or if it is new since the first change and portmap's or empty.
    """
    before, base = record(request), name.rsplit(maxsplit=1)[-1]
    new = bool(before) and name not in before.get("nft", ())
    return base in request["tables"] or (
        new and (base == "cni_hostport" or (base in ("filter", "nat", "mangle") and empty_table(name)))
    )


def record(request: dict[str, Any]) -> dict[str, Any]:
    """The record that ``remember`` wrote, or the request's ``before`` once the file is gone; empty if unknown."""
    return dict(request.get("before") or json.loads(read_text(request["path"]) or "{}"))


def clear_groups(deadline: float) -> None:
    """Remove the cgroups of pods, with retries: the kernel counts a process for a moment after its end."""
    while found := pods():
        for folder in found:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if time.monotonic() >= deadline:
            return
        time.sleep(0.05)


def clear(request: dict[str, Any]) -> dict[str, Any]:
    """End pods, remove what they and the roles left in the kernel, and restore settings and foreign files.

    In the kernel: mounts, network namespaces, interfaces, addresses, routes, chains, nft tables, cgroups.
    """
    deadline = time.monotonic() + 60
    while (pids := processes(pods())) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    for place in mounts(tuple(request["mounts"])):
        run("umount", "-l", place)
    for place in glob.glob("/run/netns/cni-*") + glob.glob("/var/run/netns/cni-*"):
        run("ip", "netns", "del", os.path.basename(place))
    for name in devices(request["devices"]):
        run("ip", "link", "del", name)
    for device, address in addresses(request["addresses"]):
        run("ip", "addr", "del", address, "dev", device)
    run("ip", "route", "flush", "proto", str(request["protocol"]))
    before = record(request)
    clear_chains(before)
    for name in [table for table in tables() if is_removed_table(request, table)]:
        run("nft", "delete", "table", *name.split())
    clear_groups(max(deadline, time.monotonic() + 10))
    restore(request)
    return {"left": left(request)["left"], "before": before}


def restore(request: dict[str, Any]) -> None:
    """Restore kernel settings and foreign files to their state before the first change."""
    before = record(request)
    for name, value in before.get("sysctls", {}).items():
        path = "/proc/sys/" + name
        now = (read_text(path) or "").strip()
        if value and now != value and os.access(path, os.W_OK):
            with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
                file.write(value)
    for path, text in before.get("files", {}).items():
        if text is not None and os.path.exists(path) and read_text(path) != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            if "/apparmor.d/local/" in path:  # the kernel keeps the profile that was loaded until it is reloaded
                run("apparmor_parser", "-r", path.replace("/local/", "/"))


def left(request: dict[str, Any]) -> dict[str, Any]:
    """Everything of the environment that still exists, one line each."""
    out = [f"path {path}" for path in request["paths"] if os.path.lexists(path)]
    units = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "rancherctl-*")[1] + "\n"
    out += [f"unit {line.split()[0]}" for line in units.splitlines() if line.strip()]
    out += [
        f"unit file {path}"
        for path in glob.glob("/etc/systemd/system/rancherctl-*") + glob.glob("/etc/systemd/system/*/rancherctl-*")
    ]
    out += [f"user {entry.pw_name}" for entry in pwd.getpwall() if entry.pw_name.startswith("rancherctl-")]
    out += [f"mount {place}" for place in mounts(tuple(request["mounts"]))]
    out += [f"interface {name}" for name in devices(request["devices"])]
    out += [f"address {address} on {device}" for device, address in addresses(request["addresses"])]
    out += [f"route {line}" for line in run("ip", "route", "show", "proto", str(request["protocol"]))[1].splitlines()]
    out += [f"nft table {name}" for name in tables() if is_removed_table(request, name)]
    out += [f"{tool} chain {table}/{chain}" for tool, table, chain in chains(record(request))]
    out += [f"cgroup {folder}" for folder in pods()]
    out += [f"process {pid} ({program_of(str(pid))})" for pid in processes([])]
    out += [f"network namespace {path}" for path in glob.glob("/run/netns/cni-*")]
    return {"left": out}


def folders(request: dict[str, Any]) -> dict[str, Any]:
    """Remove folders and what is in them.

    ``whole``: always; of mount points only the content. ``maybe``: if they are new since the first change.
    ``spare``: if they are new and empty. ``folders``: if they are empty.
    """
    before = record(request)
    new = [path for path in request["maybe"] if before and path not in before.get("there", ())]
    for path in (*request["whole"], *new):
        if inside := mounts((path,)):
            raise disk.StepError(inside[0] + " is still mounted below " + path + ": nothing was deleted there")
        if os.path.ismount(path):
            for name in os.listdir(path):
                inner = os.path.join(path, name)
                shutil.rmtree(inner) if os.path.isdir(inner) and not os.path.islink(inner) else os.unlink(inner)
        elif os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    # Records of 0.1 did not look for these: an empty folder is removed, too, because programs that need it create it.
    spare = [path for path in request["spare"] if before and path not in before.get("there", ())]
    for path in (*request["folders"], *spare):
        if os.path.isdir(path) and not os.path.ismount(path) and not os.listdir(path):
            os.rmdir(path)
    return {}


def unlocked(request: dict[str, Any]) -> dict[str, Any]:
    """Remove the folder of the lock, unless a process holds the lock now."""
    folder = request["folder"]
    if os.path.isdir(folder) and not os.path.exists(folder + "/environment.lock"):
        shutil.rmtree(folder)
    return {}


OPERATIONS = {"remember": remember, "clear": clear, "left": left, "folders": folders, "unlocked": unlocked}
