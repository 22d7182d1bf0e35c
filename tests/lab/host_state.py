"""A host's state as comparable lines: files, packages, users, units, network, kernel settings, cgroups."""

from __future__ import annotations

from rancherctl.lab.session import RunningLab

# Logs, caches and the package manager's own records may remain (E11). The tests themselves use /root and /tmp.
# /run/adduser is deluser's lock.
SKIPPED = (
    *("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/root"),
    *("/var/log", "/var/cache", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/systemd"),
    *("/run/systemd", "/run/adduser", "/run/log", "/run/user", "/run/credentials", "/run/dbus", "/run/host"),
)
BACKUPS = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-")
"""Files that useradd and userdel write on every run."""

_SCRIPT = """
for d in / /var/lib /run; do
  find $d -xdev \\( {prune} \\) -prune -o -type f -printf 'file %p %m %u:%g\\n' \\
    -o -type l -printf 'link %p %l\\n' -o -printf 'path %p %m %u:%g\\n'
done
find /etc -xdev -type f ! -name '*-' -exec sha256sum {{}} + | sed 's/^/content /'
dpkg-query -W -f 'package ${{Package}} ${{db:Status-Status}}\\n'
sed 's/^/user /' /etc/passwd; sed 's/^/group /' /etc/group
systemctl list-unit-files --no-legend | awk '{{print "unit", $1, $2}}'
ip -o -4 addr | awk '{{print "address", $2, $4}}'
ip -o link | awk '{{sub(/@.*/, "", $2); print "link", $2}}'; ip route | sed 's/^/route /'
nft list ruleset 2>/dev/null | sed 's/^/nft /'
for t in iptables-save ip6tables-save; do
  $t 2>/dev/null | grep -v '^#' | grep '^[:-]' | sed "s/\\[.*//; s/^/$t /" || true
done
cut -d' ' -f5 /proc/self/mountinfo | sed 's/^/mount /'
for f in ip_forward conf/all/route_localnet conf/all/rp_filter; do echo "sysctl $f $(cat /proc/sys/net/ipv4/$f)"; done
find /sys/fs/cgroup -maxdepth 3 -name 'kubepods*' | sed 's/^/cgroup /'
"""


def state(lab: RunningLab, host: str) -> set[str]:
    """Everything that ``env rm`` has to restore, one line each."""
    prune = " -o ".join(f"-path {path}" for path in SKIPPED)
    lines = lab.ssh(host, _SCRIPT.format(prune=prune), timeout=600).splitlines()
    return {
        line for line in lines if line and not any(f" {path} " in f"{line} " or line.endswith(path) for path in BACKUPS)
    }


def files(lines: set[str]) -> set[str]:
    """The paths of the files and links in ``lines``."""
    return {line.split(" ")[1] for line in lines if line.startswith(("file ", "link "))}
