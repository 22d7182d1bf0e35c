"""Runs on a host, standard library and hosts.remote.disk only, sent there as text: remembers how it was, clears what we left, lists leftovers.

One JSON request on standard input, one JSON answer on standard output. Everything is tried; what failed is told.
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
"""Settings that we or kubelet or kube-proxy write."""
KUBE_CHAIN = "KUBE-"
PORT_CHAINS = ("CNI-HOSTPORT-", "CNI-DN-")
"""What portmap makes for pods with host ports (or an nft table, cni_hostport); others may use it too, so what was there before stays."""
SHIMS = "/opt/rancherctl/containerd/"
MOUNTS = "/proc/self/mountinfo"


def run(*words: str) -> tuple[int, str]:
    """Exit status and output of a command; 127 when it is not there."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        return 127, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def read(path: str) -> str | None:
    """A file's text, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def remember(request: dict[str, Any]) -> dict[str, Any]:
    """Write down once how the host was before our first change."""
    path = request["path"]
    if os.path.exists(path):
        return {"new": False}
    before = {
        "sysctls": {name: (read("/proc/sys/" + name) or "").strip() for name in SYSCTLS},
        "files": {name: read(name) for name in request["files"]},
        "nft": tables(),
        "chains": [" ".join(chain) for chain in chains({"chains": ()})],
        "there": [place for place in request["maybe"] if os.path.exists(place)],
    }
    disk.write(path, json.dumps(before).encode(), 0o644, disk.owner_of(os.geteuid(), os.getegid()))
    return {"new": True}


def tables() -> list[str]:
    """``family name`` of all nft tables."""
    return [
        line.split(None, 1)[1] for line in run("nft", "list", "tables")[1].splitlines() if line.startswith("table ")
    ]


def pods() -> list[str]:
    """cgroup folders of pods, deepest first."""
    found = glob.glob("/sys/fs/cgroup/kubepods*") + glob.glob("/sys/fs/cgroup/*/kubepods*")
    tops = {path for path in found if os.path.isdir(path) and not os.path.islink(path)}
    return [folder for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def program_of(pid: str) -> str:
    """The file that a process runs, "" for one of the kernel or one that has ended."""
    try:
        return os.readlink("/proc/" + pid + "/exe")
    except OSError:
        return ""


def processes(folders: list[str]) -> set[int]:
    """Processes in these cgroups, and the shims that belong to no unit. By the file they run: sudo and sh have this text among their words."""
    pids = {int(pid) for folder in folders for pid in (read(folder + "/cgroup.procs") or "").split()}
    pids |= {int(entry) for entry in os.listdir("/proc") if entry.isdigit() and program_of(entry).startswith(SHIMS)}
    return pids - {os.getpid(), 0}


def mounts(below: tuple[str, ...]) -> list[str]:
    """Mount points below these paths, deepest first, by their real paths; the paths themselves are the host's own."""
    with open(MOUNTS, "rb") as file:
        rows = [line.split(b" ", 5)[4] for line in file]
    # the kernel writes white space and backslashes as three octal digits
    found = [os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), row)) for row in rows]
    return sorted(
        (place for place in found if place.startswith(tuple(os.path.realpath(b) + "/" for b in below))), reverse=True
    )


def addresses(wanted: list[str]) -> list[tuple[str, str]]:
    """(device, address/prefix) of addresses of ours."""
    links = json.loads(run("ip", "-j", "-4", "addr")[1] or "[]")
    return [
        (link["ifname"], f"{info['local']}/{info['prefixlen']}")
        for link in links
        for info in link.get("addr_info", ())
        if info.get("local") in wanted and link["ifname"] == "lo"
    ]


def devices(wanted: list[str]) -> list[str]:
    """Interfaces of ours that exist."""
    return [name for name in wanted if os.path.exists("/sys/class/net/" + name)]


def chains(before: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(tool, table, chain) that kubelet and kube-proxy left in iptables, and those of portmap that were not there ``before`` (empty: unknown)."""
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
    """(chain, number) of the rules of one table that jump to a chain, the last first; by number, since only the tool reads its quotes."""
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
    """Remove the rules that jump to these chains, then the chains."""
    found = chains(before)
    for tool, table, chain in found:
        for place, number in jumps(run(tool + "-save", "-t", table)[1], chain):
            run(tool, "-w", "5", "-t", table, "-D", place, number)
    for verb in ("-F", "-X"):
        for tool, table, chain in found:
            run(tool, "-w", "5", "-t", table, verb, chain)


def empty_table(name: str) -> bool:
    """Whether an nft table holds no rule, set or chain of its own: what iptables leaves behind."""
    text = run("nft", "-j", "list", "table", *name.split())[1]
    try:
        return {kind for item in json.loads(text)["nftables"] for kind in item} <= {"metainfo", "table", "chain"}
    except (ValueError, KeyError):
        return False


def ours(request: dict[str, Any], name: str) -> bool:
    """Whether an nft table is ours, kube-proxy's, or was not there before and is portmap's or an empty one."""
    before, base = stored(request), name.rsplit(maxsplit=1)[-1]
    new = bool(before) and name not in before.get("nft", ())
    return base in request["tables"] or (
        new and (base == "cni_hostport" or (base in ("filter", "nat", "mangle") and empty_table(name)))
    )


def stored(request: dict[str, Any]) -> dict[str, Any]:
    """What ``remember`` wrote (``before`` of the request, once the file is gone); empty when that is unknown."""
    return dict(request.get("before") or json.loads(read(request["path"]) or "{}"))


def clear_groups(deadline: float) -> None:
    """Remove the cgroups of pods; the kernel counts a process that has ended for a moment more."""
    while found := pods():
        for folder in found:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if time.monotonic() >= deadline:
            return
        time.sleep(0.05)


def clear(request: dict[str, Any]) -> dict[str, Any]:
    """Pods, mounts, network namespaces, interfaces, addresses, routes, nft tables, chains, cgroups; then the old settings."""
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
    before = stored(request)
    clear_chains(before)
    for name in [table for table in tables() if ours(request, table)]:
        run("nft", "delete", "table", *name.split())
    clear_groups(max(deadline, time.monotonic() + 10))
    restore(request)
    return {"left": left(request)["left"], "before": before}


def restore(request: dict[str, Any]) -> None:
    """Put settings and foreign files back as they were before our first change."""
    before = stored(request)
    for name, value in before.get("sysctls", {}).items():
        path = "/proc/sys/" + name
        now = (read(path) or "").strip()
        if value and now != value and os.access(path, os.W_OK):
            with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
                file.write(value)
    for path, text in before.get("files", {}).items():
        if text is not None and os.path.exists(path) and read(path) != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            if "/apparmor.d/local/" in path:  # what the kernel has loaded is the old text until it is told
                run("apparmor_parser", "-r", path.replace("/local/", "/"))


def left(request: dict[str, Any]) -> dict[str, Any]:
    """Everything of ours that can still be found, one line each."""
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
    out += [f"nft table {name}" for name in tables() if ours(request, name)]
    out += [f"{tool} chain {table}/{chain}" for tool, table, chain in chains(stored(request))]
    out += [f"cgroup {folder}" for folder in pods()]
    out += [f"process {pid} ({program_of(str(pid))})" for pid in processes([])]
    out += [f"network namespace {path}" for path in glob.glob("/run/netns/cni-*")]
    return {"left": out}


def folders(request: dict[str, Any]) -> dict[str, Any]:
    """Remove the folders ``whole`` with all in them (mount points are only emptied) and those of ``maybe`` that were not there before;
    then those of ``folders`` that are empty now."""
    before = stored(request)
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
    for path in request["folders"]:
        if os.path.isdir(path) and not os.listdir(path):
            shutil.rmtree(path)
    return {}


def unlocked(request: dict[str, Any]) -> dict[str, Any]:
    """Remove the folder of the lock, unless somebody holds it now."""
    folder = request["folder"]
    if os.path.isdir(folder) and not os.path.exists(folder + "/environment.lock"):
        shutil.rmtree(folder)
    return {}


OPERATIONS = {"remember": remember, "clear": clear, "left": left, "folders": folders, "unlocked": unlocked}
