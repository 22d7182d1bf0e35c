"""What a root tree contains, and the shell script that finishes it. Pure text.

The tree carries a package repository of its own (REPOSITORY), because hosts have no way out: a bare host installs
haproxy, bind9 and the rest from there, with apt and dpkg as anywhere else.
"""

from __future__ import annotations

import hashlib

from rancherctl.lab.model import Os, Variant

BASE = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "openssl", "iproute2", "iputils-ping", "procps",
    "ca-certificates",
    "sudo", "curl", "iptables", "socat", "ethtool", "kmod",
)  # fmt: skip
EXTRA = ("haproxy", "bind9", "bind9-dnsutils", "runc", "conntrack", "nftables")
OFFERED = ("ufw", "firewalld")  # host firewalls: in the hosts' repository, installed in no tree
MASKED = (
    "systemd-networkd-wait-online.service", "systemd-logind.service", "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket", "systemd-udev-trigger.service", "systemd-resolved.service", "console-getty.service",
    "getty.target",
    "systemd-pstore.service", "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer", "e2scrub_all.timer",
)  # fmt: skip
MASKED_FULL = ("named.service", "haproxy.service", "containerd.service")
REPOSITORY = "/srv/lab-packages"
OPS_USER = "ops"
OPS_UID = 1000

# kubelet writes these and /proc/sys is read-only in a host: it finds plain files with the values it sets.
SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
STAND_INS = "/srv/lab-sysctl"

# nspawn mounts /proc itself after all other binds, and mounts v1 controllers read-only though kubelet and containerd
# write to them: both are put right from inside, before anything else runs.
EARLY_SCRIPT = f"""\
#!/bin/sh
set -eu
cd {STAND_INS}
for file in $(find . -type f); do mount --bind "$file" "/proc/sys/$file"; done
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  for folder in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    if mountpoint -q "$folder"; then mount -o remount,rw,bind "$folder"; fi
  done
fi
"""
EARLY_UNIT = """\
[Unit]
Description=Lab host: kernel knobs and control groups
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-early

[Install]
WantedBy=sysinit.target
"""

SCRIPT = """\
#!/bin/sh
set -eu
root=$1
repo="$root{repository}"
mkdir -p "$repo/partial"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes --no-install-recommends --download-only \
-oDir::Cache::archives="$repo" install {extra} {offered}
rm -rf "$repo/partial" "$repo/lock"
(cd "$repo" && apt-ftparchive packages . > Packages && apt-ftparchive release . > Release.new && mv Release.new Release)
chmod -R a+rX "$repo"
rm -f "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/* "$root/etc/apt/apt.conf.d/99mmdebstrap"
echo 'deb [trusted=yes] file:{repository} ./' > "$root/etc/apt/sources.list.d/lab.list"
echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/lab"
chroot "$root" apt-get -q update
{install}
chroot "$root" useradd --create-home --uid {ops_uid} --shell /bin/bash --groups sudo {ops}
echo '{ops}:{ops}' | chroot "$root" chpasswd
{knobs}
cat > "$root/usr/local/sbin/lab-early" <<'EOF'
{early_script}EOF
chmod 0755 "$root/usr/local/sbin/lab-early"
cat > "$root/etc/systemd/system/lab-early.service" <<'EOF'
{early_unit}EOF
for unit in {masked}; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
chroot "$root" systemctl enable lab-early.service systemd-networkd.service ssh.service
chroot "$root" systemctl disable sshd-keygen.service || echo 'no such unit on this release'
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
"""


def finish_script(variant: Variant) -> str:
    """The script that mmdebstrap runs last, with the tree as its first argument."""
    full = variant == "full"
    knobs = (
        f'install -D -m 0644 /dev/stdin "$root{STAND_INS}/{name}" <<EOF\n{value}\nEOF'
        for name, value in SYSCTLS.items()
    )
    masked = (*MASKED, *(MASKED_FULL if full else ()))
    apt_get = "env DEBIAN_FRONTEND=noninteractive apt-get -q --yes --no-install-recommends"
    install = f'chroot "$root" {apt_get} install {" ".join(EXTRA)}'
    return SCRIPT.format(
        repository=REPOSITORY,
        extra=" ".join(EXTRA),
        offered=" ".join(OFFERED),
        install=install if full else ": bare",
        ops=OPS_USER,
        ops_uid=OPS_UID,
        knobs="\n".join(knobs),
        early_script=EARLY_SCRIPT,
        early_unit=EARLY_UNIT,
        masked=" ".join(masked),
    )


def tree_name(os: Os, variant: Variant) -> str:
    """The folder name of a tree; another content of the tree has another name."""
    content = "\n".join((os, variant, *BASE, finish_script(variant)))
    return f"{os}-{variant}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
