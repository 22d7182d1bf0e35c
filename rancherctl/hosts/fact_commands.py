"""Commands that read facts of a host, each with its parser from ``fact_parsers``.

All run as one shell script. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.contract import ETC
from rancherctl.hosts import fact_parsers as parse
from rancherctl.hosts import firewall

CONFLICTING = (
    "kubelet", "k3s", "k3s-agent", "rke2-server", "rke2-agent", "k0scontroller", "k0sworker",
    "snap.microk8s.daemon-kubelite", "kube-apiserver", "etcd", "docker", "containerd", "crio", "named", "bind9",
    "haproxy", "dnsmasq", "unbound", "systemd-resolved", "nginx", "apache2",
)  # fmt: skip
"""Units that may conflict with an environment (environments.host_checks decides which of them matter)."""
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
SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/rp_filter",
    "net/bridge/bridge-nf-call-iptables",
)


@dataclass(frozen=True, slots=True)
class FactCommand:
    """A command and its parser: ``text`` is POSIX shell, run as root in a subshell.

    ``parser`` returns HostFacts fields.

    ``any_status``: a non-zero exit is an answer, too (systemctl is-system-running); otherwise it means "unknown".
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

# runs in new network and mount namespaces that end with the command: nothing is left on the host
_FEATURES = f"""
command -v unshare >/dev/null || exit 9
for kind in vxlan bridge veth dummy; do
  case $kind in vxlan) more='id 7 dstport 4789';; *) more=;; esac
  if unshare -n ip link add rcprobe type $kind $more 2>/dev/null; then echo $kind yes; else echo $kind no; fi
done
try='mount -t tmpfs rcprobe /mnt && cd /mnt && mkdir a b c d'
try="$try && mount -t overlay -o lowerdir=a,upperdir=b,workdir=c rcprobe d"
if unshare -m sh -c "$try" 2>/dev/null
then echo overlay yes; else echo overlay no; fi
python3 -I -c '{_NFTABLES}' || true
"""

# the legacy tool loads its kernel modules, so it runs only where they are in use
_CHAINS = """
for tool in iptables-save ip6tables-save; do if command -v $tool >/dev/null; then $tool 2>/dev/null; fi; done
if test -s /proc/net/ip_tables_names && command -v iptables-legacy-save >/dev/null; then
  iptables-legacy-save 2>/dev/null
fi
true
"""

_SYSCTLS = f"""
for name in {" ".join(SYSCTLS)}; do
  file=/proc/sys/$name
  if test -r $file; then if test -w $file; then echo $name yes $(cat $file); else echo $name no $(cat $file); fi; fi
done
"""

# status 1: some packages are not installed, an answer; no dpkg or a broken database (status 2) means unknown
_PACKAGES = f"""
command -v dpkg-query >/dev/null || exit 9
dpkg-query -W -f '${{Package}}\\t${{db:Status-Status}}\\t${{Version}}\\n' {" ".join(PACKAGES)} || test $? -eq 1
"""

_SELINUX = """
if command -v getenforce >/dev/null; then getenforce
elif test -e /sys/fs/selinux/enforce; then cat /sys/fs/selinux/enforce
else echo Disabled; fi
"""

_CGROUP = "stat -f -c %T /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || ls /sys/fs/cgroup"
_UNITS = f"systemctl show --no-pager --property=Id,LoadState,ActiveState,UnitFileState {' '.join(CONFLICTING)}"
_FAILED_UNITS = "systemctl list-units --failed --all --plain --no-legend --no-pager 'rancherctl-*'"
_PYTHON = "python3 -I -c 'import sys; print(*sys.version_info[:3], sep=\".\")'"
_DEVICES = "for d in /dev/kmsg /dev/net/tun /dev/fuse; do if test -e $d; then echo $d; fi; done"
_MARKER = f"if test -e {ETC}/environment.json; then cat {ETC}/environment.json; fi"

FACT_COMMANDS: tuple[FactCommand, ...] = (
    FactCommand("clock", "date +%s.%N", lambda text: {"clock": float(text)}),
    FactCommand("os", "cat /etc/os-release", parse.os_release),
    FactCommand("uname", "uname -rm", parse.uname),
    FactCommand("hostname", "cat /proc/sys/kernel/hostname", lambda text: {"hostname": parse.word(text)}),
    FactCommand("machine_id", "cat /etc/machine-id", lambda text: {"machine_id": parse.word(text)}),
    FactCommand("boot", "cat /proc/sys/kernel/random/boot_id /proc/uptime", parse.boot),
    FactCommand("cpus", "nproc", lambda text: {"cpus": int(text)}),
    FactCommand("memory", "cat /proc/meminfo", parse.memory),
    FactCommand("disk", "df -Pk / /var/lib /opt /etc /run", parse.disk),
    FactCommand("cgroup", _CGROUP, parse.cgroup),
    FactCommand("capabilities", "grep ^CapBnd /proc/1/status", parse.capabilities),
    FactCommand("addresses", "ip -j addr", parse.addresses),
    FactCommand("routes", "ip -j route show table main; ip -j -6 route show table main", parse.routes),
    FactCommand("resolvers", "cat /etc/resolv.conf", parse.resolvers),
    FactCommand("systemd", "systemctl is-system-running; systemctl --version", parse.systemd, any_status=True),
    FactCommand("units", _UNITS, parse.units),
    FactCommand("failed_units", _FAILED_UNITS, parse.failed_units),
    FactCommand("listeners", "ss -Hltunp", parse.listeners),
    FactCommand("python", _PYTHON, lambda text: {"python": parse.word(text)}),
    FactCommand("openssl", "openssl version", parse.openssl),
    FactCommand("packages", _PACKAGES, parse.packages),
    FactCommand("candidates", f"apt-cache policy {' '.join(PACKAGES)}", parse.candidates),
    FactCommand("apparmor", "cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N", parse.apparmor),
    FactCommand("selinux", _SELINUX, parse.selinux),
    FactCommand("features", _FEATURES, parse.features),
    FactCommand("sysctls", _SYSCTLS, parse.sysctls),
    FactCommand("chains", _CHAINS, parse.chains),
    FactCommand("nft_tables", "if command -v nft >/dev/null; then nft list tables; fi", parse.nft_tables),
    FactCommand("firewall", firewall.COMMAND, lambda text: {"firewall": firewall.parse(text)}),
    FactCommand("devices", _DEVICES, parse.devices),
    FactCommand("marker", _MARKER, parse.marker),
)  # fmt: skip


def script_text() -> str:
    """One shell script of all commands; ``$1`` is a word that no output contains.

    A failing command does not end it.
    """
    parts = ["export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; set +e"]
    for fact in FACT_COMMANDS:
        begin, end = f'printf "\\n%s begin {fact.name}\\n" "$1"', 'printf "\\n%s end %d\\n" "$1" $?'
        parts.append(f"{begin}\n(\n{fact.text.strip()}\n) 2>&1 </dev/null\n{end}")
    return "\n".join(parts)


def sections(text: str, boundary: str) -> dict[str, tuple[int, str]]:
    """Name → (exit status, output) from the script's output; a command whose end is missing is left out."""
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
