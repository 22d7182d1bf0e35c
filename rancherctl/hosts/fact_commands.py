"""What is asked of a host: one shell text per fact, all run in one go. Each is paired with its parser in ``fact_parsers``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.hosts import fact_parsers as parse

CONFLICTING = (
    "kubelet", "k3s", "k3s-agent", "rke2-server", "rke2-agent", "k0scontroller", "k0sworker", "snap.microk8s.daemon-kubelite", "kube-apiserver",
    "etcd", "docker", "containerd", "crio", "named", "bind9", "haproxy", "dnsmasq", "unbound", "systemd-resolved", "nginx", "apache2",
)  # fmt: skip
"""Units whose state decides whether a host is free (environments says which of them matter)."""
PACKAGES = (
    "haproxy",
    "bind9",
    "bind9-dnsutils",
    "bind9-utils",
    "runc",
    "conntrack",
    "nftables",
    "iptables",
    "containerd",
    "docker.io",
    "apparmor",
)
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
           "net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/bridge/bridge-nf-call-iptables")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """``text`` is POSIX shell, run as root in a subshell of its own. ``parser`` turns its output into fields of HostFacts.

    ``any_status``: a non-zero exit is an answer too (systemctl is-system-running); else it means that it could not be told.
    """

    name: str
    text: str
    parser: Callable[[str], Mapping[str, Any]]
    any_status: bool = False


_NFTABLES = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.settimeout(3)
s.send(struct.pack("=LHHLLBBH", 20, 10 << 8 | 1, 0x301, 1, 0, 0, 0, 0))
data = s.recv(65536)
kind, = struct.unpack_from("=H", data, 4)
code, = struct.unpack_from("=i", data, 16) if kind in (2, 3) else (0,)
print("nf_tables", "no" if code < 0 else "yes")
"""

# in a network or mount namespace of its own, which ends with the command: nothing is left on the host
_FEATURES = f"""
command -v unshare >/dev/null || exit 9
for kind in vxlan bridge veth dummy; do
  case $kind in vxlan) more='id 7 dstport 4789';; *) more=;; esac
  if unshare -n ip link add rcprobe type $kind $more 2>/dev/null; then echo $kind yes; else echo $kind no; fi
done
try='mount -t tmpfs rcprobe /mnt && cd /mnt && mkdir a b c d && mount -t overlay -o lowerdir=a,upperdir=b,workdir=c rcprobe d'
if unshare -m sh -c "$try" 2>/dev/null
then echo overlay yes; else echo overlay no; fi
python3 -I -c '{_NFTABLES}' || true
"""

# the old tool loads its kernel modules when it is asked, so it is asked only where they are in use
_CHAINS = """
for tool in iptables-save ip6tables-save; do if command -v $tool >/dev/null; then $tool 2>/dev/null; fi; done
if test -s /proc/net/ip_tables_names && command -v iptables-legacy-save >/dev/null; then iptables-legacy-save 2>/dev/null; fi
true
"""

_SYSCTLS = f"""
for name in {" ".join(SYSCTLS)}; do
  file=/proc/sys/$name
  if test -r $file; then if test -w $file; then echo $name yes $(cat $file); else echo $name no $(cat $file); fi; fi
done
"""

# a name that is not installed is an answer (status 1); a system without dpkg, and a broken database (status 2), are none
_PACKAGES = f"""
command -v dpkg-query >/dev/null || exit 9
dpkg-query -W -f '${{Package}}\\t${{db:Status-Status}}\\t${{Version}}\\n' {" ".join(PACKAGES)} || test $? -eq 1
"""

_SELINUX = """
if command -v getenforce >/dev/null; then getenforce
elif test -e /sys/fs/selinux/enforce; then cat /sys/fs/selinux/enforce
else echo Disabled; fi
"""

PROBES: tuple[Probe, ...] = (
    Probe("clock", "date +%s.%N", lambda text: {"clock": float(text)}),
    Probe("os", "cat /etc/os-release", parse.os_release),
    Probe("uname", "uname -rm", parse.uname),
    Probe("hostname", "cat /proc/sys/kernel/hostname", lambda text: {"hostname": parse.word(text)}),
    Probe("machine_id", "cat /etc/machine-id", lambda text: {"machine_id": parse.word(text)}),
    Probe("boot", "cat /proc/sys/kernel/random/boot_id /proc/uptime", parse.boot),
    Probe("cpus", "nproc", lambda text: {"cpus": int(text)}),
    Probe("memory", "cat /proc/meminfo", parse.memory),
    Probe("disk", "df -Pk / /var/lib /opt /etc /run", parse.disk),
    Probe("cgroup", "stat -f -c %T /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || ls /sys/fs/cgroup", parse.cgroup),
    Probe("capabilities", "grep ^CapBnd /proc/1/status", parse.capabilities),
    Probe("addresses", "ip -j addr", parse.addresses),
    Probe("routes", "ip -j route show table main; ip -j -6 route show table main", parse.routes),
    Probe("resolvers", "cat /etc/resolv.conf", parse.resolvers),
    Probe("systemd", "systemctl is-system-running; systemctl --version", parse.systemd, any_status=True),
    Probe("units", f"systemctl show --no-pager --property=Id,LoadState,ActiveState,UnitFileState {' '.join(CONFLICTING)}", parse.units),
    Probe("failed_units", "systemctl list-units --failed --all --plain --no-legend --no-pager 'rancherctl-*'", parse.failed_units),
    Probe("listeners", "ss -Hltunp", parse.listeners),
    Probe("python", "python3 -I -c 'import sys; print(*sys.version_info[:3], sep=\".\")'", lambda text: {"python": parse.word(text)}),
    Probe("openssl", "openssl version", parse.openssl),
    Probe("packages", _PACKAGES, parse.packages),
    Probe("candidates", f"apt-cache policy {' '.join(PACKAGES)}", parse.candidates),
    Probe("apparmor", "cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N", parse.apparmor),
    Probe("selinux", _SELINUX, parse.selinux),
    Probe("features", _FEATURES, parse.features),
    Probe("sysctls", _SYSCTLS, parse.sysctls),
    Probe("chains", _CHAINS, parse.chains),
    Probe("nft_tables", "if command -v nft >/dev/null; then nft list tables; fi", parse.nft_tables),
    Probe("devices", "for d in /dev/kmsg /dev/net/tun /dev/fuse; do if test -e $d; then echo $d; fi; done", parse.devices),
    Probe("marker", "if test -e /etc/rancherctl/environment.json; then cat /etc/rancherctl/environment.json; fi", parse.marker),
)  # fmt: skip


def script_text() -> str:
    """One shell script for all probes; ``$1`` is a word that no output contains. Nothing stops it, nothing is left behind."""
    parts = ["export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; set +e"]
    parts += [
        f'printf "\\n%s begin {probe.name}\\n" "$1"\n(\n{probe.text.strip()}\n) 2>&1 </dev/null\nprintf "\\n%s end %d\\n" "$1" $?'
        for probe in PROBES
    ]
    return "\n".join(parts)


def sections(text: str, boundary: str) -> dict[str, tuple[int, str]]:
    """Probe name → (exit status, output) from the script's output; a probe whose end is missing is left out."""
    out: dict[str, tuple[int, str]] = {}
    name, lines = "", list[str]()
    for line in text.split("\n"):
        if line.startswith(f"{boundary} begin "):
            name, lines = line.rpartition(" ")[2], []
        elif line.startswith(f"{boundary} end ") and name:
            out[name] = (int(line.rpartition(" ")[2]), "\n".join(lines).strip("\n"))
            name = ""
        else:
            lines.append(line)
    return out
