"""Parsers of the fact commands: text in, fields of HostFacts out. Pure.

Unexpected output raises ValueError, KeyError, IndexError or TypeError.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from rancherctl.hosts.fact_values import AddressFact, DiskFact, ListenerFact, RouteFact, SysctlFact, UnitFact

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def word(text: str) -> str:
    """The only word; ValueError if there is not exactly one."""
    words = text.split()
    if len(words) != 1:
        raise ValueError(f"one word expected, got {text[:80]!r}")
    return words[0]


def os_release(text: str) -> dict[str, Any]:
    """/etc/os-release."""
    pairs = dict(item.split("=", 1) for item in shlex.split(text, comments=True) if "=" in item)
    return {
        "os_id": pairs["ID"],
        "os_version": pairs.get("VERSION_ID", ""),
        "os_codename": pairs.get("VERSION_CODENAME", ""),
        "os_name": pairs.get("PRETTY_NAME", pairs["ID"]),
    }


def uname(text: str) -> dict[str, Any]:
    """``uname -rm``."""
    kernel, machine = text.split()
    return {"kernel": kernel, "arch": ARCHITECTURES.get(machine, machine)}


def boot(text: str) -> dict[str, Any]:
    """Boot id, then /proc/uptime."""
    boot_id, uptime, *_ = text.split()
    return {"boot_id": boot_id, "uptime": float(uptime)}


def memory(text: str) -> dict[str, Any]:
    """/proc/meminfo."""
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines() if line.endswith(" kB")}
    return {"memory_bytes": sizes["MemTotal"], "swap_bytes": sizes["SwapTotal"]}


def disk(text: str) -> dict[str, Any]:
    """``df -Pk`` of the known paths, in their order."""
    paths = ("/", "/var/lib", "/opt", "/etc", "/run")
    rows = [line.split(None, 5) for line in text.splitlines()[1:]]
    if len(rows) != len(paths):
        raise ValueError(f"{len(rows)} lines for {len(paths)} paths")
    return {
        "disks": {
            path: DiskFact(int(row[1]) * 1024, int(row[3]) * 1024, row[0], row[5])
            for path, row in zip(paths, rows, strict=True)
        }
    }


def cgroup(text: str) -> dict[str, Any]:
    """The type of /sys/fs/cgroup, then its controllers."""
    kind, *rest = text.split()
    if kind not in ("cgroup2fs", "tmpfs"):
        raise ValueError(f"/sys/fs/cgroup is of type {kind}")
    unified = kind == "cgroup2fs"
    names = {part for name in rest for part in name.split(",")} - {"systemd", "unified"}
    return {"cgroup": 2 if unified else 1, "cgroup_controllers": frozenset(names)}


def capabilities(text: str) -> dict[str, Any]:
    """The CapBnd line of /proc/1/status."""
    label, value = text.split()
    if label != "CapBnd:":
        raise ValueError(text[:80])
    return {"capabilities": int(value, 16)}


def addresses(text: str) -> dict[str, Any]:
    """``ip -j addr``."""
    links = json.loads(text)
    found = tuple(
        AddressFact(
            link["ifname"],
            info["local"],
            info["prefixlen"],
            6 if info["family"] == "inet6" else 4,
            info.get("scope", ""),
        )
        for link in links
        for info in link.get("addr_info", ())
        if "local" in info
    )
    macs = {
        link["ifname"]: link["address"] for link in links if link.get("link_type") == "ether" and link.get("address")
    }
    # bonds, VLANs and bridges share the MAC address of a member: one of each is enough to tell machines apart
    unique = {mac: name for name, mac in sorted(macs.items(), reverse=True)}
    return {"addresses": found, "macs": {name: mac for mac, name in sorted(unique.items(), key=lambda item: item[1])}}


def routes(text: str) -> dict[str, Any]:
    """``ip -j route`` of both families, one JSON list after the other."""
    decoder = json.JSONDecoder()
    found: list[RouteFact] = []
    rest = text.strip()
    while rest:
        rows, end = decoder.raw_decode(rest)
        found += [
            RouteFact(row["dst"], row.get("gateway", ""), row.get("dev", ""), row.get("protocol", "")) for row in rows
        ]
        rest = rest[end:].strip()
    return {"routes": tuple(found)}


def resolvers(text: str) -> dict[str, Any]:
    """The nameserver lines of /etc/resolv.conf."""
    rows = [line.split() for line in text.splitlines()]
    return {"resolvers": tuple(row[1] for row in rows if len(row) > 1 and row[0] == "nameserver")}


def systemd(text: str) -> dict[str, Any]:
    """State, then the first line of ``systemctl --version``."""
    lines = text.splitlines()
    versions = [line.split()[1] for line in lines if line.startswith("systemd ")]
    return {"systemd_state": lines[0].strip(), "systemd_version": int(versions[0].split(".")[0].split("~")[0])}


def units(text: str) -> dict[str, Any]:
    """``systemctl show`` blocks; an alias (bind9 → named) appears under the unit's own name."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.strip().split("\n\n")
    ]
    return {
        "units": {
            block["Id"].removesuffix(".service"): UnitFact(block["ActiveState"], block["UnitFileState"])
            for block in blocks
            if block["LoadState"] not in ("not-found", "")
        }
    }


def failed_units(text: str) -> dict[str, Any]:
    """``systemctl list-units --plain --no-legend``: name, load state, state, substate, description."""
    rows = [line.split(None, 4) for line in text.splitlines() if line.strip()]
    odd = next((row for row in rows if len(row) < 4 or "." not in row[0]), None)
    if odd is not None:
        raise ValueError(" ".join(odd)[:80])
    return {"failed_units": tuple(sorted(row[0] for row in rows if row[2] == "failed"))}


def listeners(text: str) -> dict[str, Any]:
    """``ss -Hltunp``: protocol, state, queues, local address, peer, processes."""
    found = []
    for line in text.splitlines():
        row = line.split(None, 6)
        if len(row) < 6:
            raise ValueError(line[:80])
        address, _, port = row[4].rpartition(":")
        # users:(("named",pid=12,fd=20),("named",pid=12,fd=21))
        names = row[6].split('"')[1::2] if len(row) > 6 else []
        found.append(ListenerFact(row[0], address.partition("%")[0].strip("[]"), int(port), tuple(sorted(set(names)))))
    return {"listeners": tuple(found)}


def openssl(text: str) -> dict[str, Any]:
    """``OpenSSL 3.0.19 27 Jan 2026 (…)``."""
    name, version, *_ = text.split()
    if name != "OpenSSL":
        raise ValueError(text[:80])
    return {"openssl": version}


def packages(text: str) -> dict[str, Any]:
    """``name<TAB>status<TAB>version`` lines of dpkg-query; its messages about unknown names are skipped."""
    rows = [line.split("\t") for line in text.splitlines()]
    return {"packages": {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}}


def candidates(text: str) -> dict[str, Any]:
    """``apt-cache policy``: packages with a candidate."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            name = line[:-1]
        elif line.strip().startswith("Candidate: ") and "(none)" not in line:
            found[name] = line.split()[1]
    return {"candidates": found}


def apparmor(text: str) -> dict[str, Any]:
    """``Y`` or ``N``."""
    return {"apparmor": {"Y": True, "N": False}[word(text)]}


def selinux(text: str) -> dict[str, Any]:
    """``Enforcing`` … or 1 and 0."""
    names = {"1": "enforcing", "0": "permissive"}
    state = names.get(word(text), word(text).lower())
    if state not in ("enforcing", "permissive", "disabled"):
        raise ValueError(state)
    return {"selinux": state}


def features(text: str) -> dict[str, Any]:
    """``name yes|no`` lines; other output of the tools is skipped."""
    rows = [line.split() for line in text.splitlines()]
    return {"features": {row[0]: row[1] == "yes" for row in rows if len(row) == 2 and row[1] in ("yes", "no")}}


def sysctls(text: str) -> dict[str, Any]:
    """``path writable value…`` lines."""
    rows = [line.split(None, 2) for line in text.splitlines()]
    return {"sysctls": {row[0]: SysctlFact(row[2] if len(row) > 2 else "", row[1] == "yes") for row in rows if row}}


def chains(text: str) -> dict[str, Any]:
    """iptables-save output: chains that are not built in."""
    table, found = "", set()
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":") and line.split()[1] == "-":
            found.add(f"{table}/{line.split()[0][1:]}")
    return {"chains": tuple(sorted(found))}


def nft_tables(text: str) -> dict[str, Any]:
    """``table ip name`` lines."""
    return {
        "nft_tables": tuple(
            sorted(line.removeprefix("table ") for line in text.splitlines() if line.startswith("table "))
        )
    }


def devices(text: str) -> dict[str, Any]:
    """Paths that exist."""
    return {"devices": frozenset(text.split())}


def marker(text: str) -> dict[str, Any]:
    """environment.json, or nothing."""
    value = json.loads(text) if text.strip() else {}
    if not isinstance(value, Mapping):
        raise TypeError("environment.json holds no object")
    return {"marker": value}
