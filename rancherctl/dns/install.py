"""What apply puts on a host for DNS: the package without its own unit, the configuration, our unit. Pure.

The zones, the key and the list of upstreams are made on the host (prepare.sh, the agent) and are not here.
"""

from __future__ import annotations

from rancherctl.dns.daemon import UNIT
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.named_conf import check, named_conf
from rancherctl.hosts.model import Directory, File, Package, Resource, Unit

__all__ = ["DnsHostConfig", "resources"]

UNIT_PATH = f"/etc/systemd/system/{UNIT}"
APPARMOR_PATH = "/etc/apparmor.d/local/usr.sbin.named"

_PREPARE = r"""#!/bin/sh
# Written by rancherctl. Before named starts, as root: the key, a list of upstreams that can be read, the AppArmor profile.
# Arguments: configuration folder, data folder, this server's own addresses (with commas), then the configured upstreams (none: the host's).
# The data folder is named's to write: what lies there is never followed, and read with named's rights only.
set -eu
etc=$1 data=$2 own=$3
shift 3
umask 027
readable() {
    setpriv --reuid bind --regid bind --init-groups --no-new-privs named-checkconf -c "$etc/named.conf" >/dev/null 2>&1
}
forward() {
    new=$(mktemp "$data/.new-XXXXXXXX")
    { echo 'forward only;'; echo 'forwarders {'; printf '%s;\n' "$@"; echo '};'; } >"$new"
    chgrp bind "$new"
    chmod 0660 "$new"
    mv -fT "$new" "$data/forwarders.conf"
}
if ! grep -qs 'secret "' "$etc/tsig.key"; then
    tsig-keygen -a hmac-sha256 rancherctl >"$etc/tsig.key.new"
    chgrp bind "$etc/tsig.key.new"
    chmod 0640 "$etc/tsig.key.new"
    mv "$etc/tsig.key.new" "$etc/tsig.key"
fi
if ! readable; then
    # As the agent reads them: the first file that names another server than this host. (Tests name other files.)
    for conf in ${RESOLV_CONF:-/etc/resolv.conf /run/systemd/resolve/resolv.conf}; do
        [ $# -eq 0 ] && [ -r "$conf" ] || continue
        set -- $(awk -v own=",$own,::1," \
            '$1 == "nameserver" && $2 ~ /^[0-9A-Fa-f.:]+$/ && $2 !~ /^127\./ && !index(own, "," $2 ",") { print $2 }' "$conf")
    done
    [ $# -gt 0 ] || set -- "127.0.0.1 port 9"
    forward "$@"
    # One bad address must not keep the names of the cluster from being answered.
    readable || forward "127.0.0.1 port 9"
fi
rm -f "$data/starts.log"
profile=/etc/apparmor.d/usr.sbin.named
if [ -d /sys/module/apparmor ] && [ -e "$profile" ] && ! cmp -s /etc/apparmor.d/local/usr.sbin.named "$data/apparmor.loaded"; then
    # Where there is no room to note it, it is loaded again next time: a full disk must not keep the server from starting.
    apparmor_parser -r "$profile" && cp --remove-destination /etc/apparmor.d/local/usr.sbin.named "$data/apparmor.loaded" || true
fi
exit 0
"""

_UNIT = """\
[Unit]
Description=Cluster DNS of this host (rancherctl)
Documentation=man:rancherctl(1) man:named(8)
After=network.target rancherctl-network.service
Wants=rancherctl-network.service
StartLimitIntervalSec=0

[Service]
Type=exec
User=bind
Group=bind
UMask=0007
ExecStartPre=+/bin/sh {etc}/prepare.sh {etc} {data} {own} {upstreams}
ExecStart=/usr/sbin/named -f -c {etc}/named.conf
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=100ms
TimeoutStopSec=10
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={data}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=multi-user.target
"""


def _apparmor(config: DnsHostConfig) -> str:
    return f"""\
# Written by rancherctl: the cluster's DNS server keeps its files here.
{config.etc}/ r,
{config.etc}/** r,
{config.data}/ rw,
{config.data}/** rwk,
"""


def resources(config: DnsHostConfig) -> tuple[Resource, ...]:
    """Everything DNS needs on one host. InvalidInputError when a setting may not be written into a configuration."""
    check(config)
    named, prepare = f"{config.etc}/named.conf", f"{config.etc}/prepare.sh"
    unit = _UNIT.format(
        etc=config.etc, data=config.data, own=",".join(config.addresses), upstreams=" ".join(config.upstreams)
    )
    return (
        Package("bind9", mask=("named.service", "named-resolvconf.service")),
        Directory(config.etc),
        Directory(config.data, 0o2770, "root:bind"),
        File(named, named_conf(config).encode()),
        File(prepare, _PREPARE.encode(), 0o755),
        File(APPARMOR_PATH, _apparmor(config).encode()),
        File(UNIT_PATH, unit.encode()),
        Unit(
            UNIT, restart_on=(UNIT_PATH, prepare, APPARMOR_PATH), reload_on=(named,), makes=(f"{config.etc}/tsig.key",)
        ),
    )
