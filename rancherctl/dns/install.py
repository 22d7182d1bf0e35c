"""The resources of a host's DNS server: the package with its unit masked, the configuration, the unit. Pure.

Zones, key and lists of upstreams are created on the host by prepare.sh and the agent.
"""

from __future__ import annotations

from rancherctl.dns.daemon import UNIT
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.named_conf import bind_server, check, named_conf, stub_zones
from rancherctl.hosts.model import Directory, File, Package, Resource, Unit
from rancherctl.hosts.unit_text import MULTI_USER, unit_text

__all__ = ["DnsHostConfig", "resources"]

UNIT_PATH = f"/etc/systemd/system/{UNIT}"
APPARMOR_PATH = "/etc/apparmor.d/local/usr.sbin.named"

_PREPARE = r"""#!/bin/sh
# Written by rancherctl. Runs as root before named starts: creates the key and valid lists of upstreams, loads the
# AppArmor profile. Arguments: configuration folder, data folder, this server's own addresses (comma-separated). The
# configured upstreams are in the file "upstreams" of the configuration folder, one a line (none: those of the host),
# the stub domains with the first server of each in "stubs". "reload" as last argument: only files that are included.
# named may write to the data folder: never follow links there, and read its files with named's rights only.
set -eu
etc=$1 data=$2 own=$3 call=${4:-start}
umask 027
readable() {
    setpriv --reuid bind --regid bind --init-groups --no-new-privs named-checkconf -c "$etc/named.conf" >/dev/null 2>&1
}
put() {
    new=$(mktemp "$data/.new-XXXXXXXX")
    cat >"$new"
    chgrp bind "$new"
    chmod 0660 "$new"
    mv -fT "$new" "$data/$1"
}
forward() {
    { echo 'forward only;'; echo 'forwarders {'; printf '%s;\n' "$1"; echo '};'; } | put forwarders.conf
}
if ! grep -qs 'secret "' "$etc/tsig.key"; then
    tsig-keygen -a hmac-sha256 rancherctl >"$etc/tsig.key.new"
    chgrp bind "$etc/tsig.key.new"
    chmod 0640 "$etc/tsig.key.new"
    mv "$etc/tsig.key.new" "$etc/tsig.key"
fi
if ! readable; then
    if [ -s "$etc/stubs" ]; then put stubs.conf <"$etc/stubs"; fi
    set --
    if [ -r "$etc/upstreams" ]; then
        while read -r line; do set -- "$@" "$line"; done <"$etc/upstreams"
    fi
    # Same rule as in the agent: the first file that names a server other than this host. (Tests set RESOLV_CONF.)
    for conf in ${RESOLV_CONF:-/etc/resolv.conf /run/systemd/resolve/resolv.conf}; do
        [ $# -eq 0 ] && [ -r "$conf" ] || continue
        set -- $(awk -v own=",$own,::1," \
            '$1 == "nameserver" && $2 ~ /^[0-9A-Fa-f.:]+$/ && $2 !~ /^127\./ && !index(own, "," $2 ",") {
                print $2
            }' "$conf")
    done
    # The first only: the server would prefer the faster of several. The agent replaces it if it does not answer.
    forward "${1:-127.0.0.1 port 9}"
    # One bad upstream address must not stop the cluster's names from being answered.
    readable || forward "127.0.0.1 port 9"
fi
[ "$call" != reload ] || exit 0
rm -f "$data/starts.log"
profile=/etc/apparmor.d/usr.sbin.named
include=/etc/apparmor.d/local/usr.sbin.named
if [ -d /sys/module/apparmor ] && [ -e "$profile" ] && ! cmp -s "$include" "$data/apparmor.loaded"; then
    # If the note cannot be written, the profile is loaded again next time: a full disk must not stop the server.
    apparmor_parser -r "$profile" && cp --remove-destination "$include" "$data/apparmor.loaded" || true
fi
exit 0
"""


def _unit(config: DnsHostConfig) -> str:
    etc, data, own = config.etc, config.data, ",".join(config.addresses)
    unit = (
        "Description=Cluster DNS of this host (rancherctl)",
        "Documentation=man:rancherctl(1) man:named(8)",
        "After=network.target rancherctl-network.service",
        "Wants=rancherctl-network.service",
        "StartLimitIntervalSec=0",
    )
    service = (
        "Type=exec",
        "User=bind",
        "Group=bind",
        "UMask=0007",
        f"ExecStartPre=+/bin/sh {etc}/prepare.sh {etc} {data} {own} ",
        f"ExecStart=/usr/sbin/named -f -c {etc}/named.conf",
        f"ExecReload=-+/bin/sh {etc}/prepare.sh {etc} {data} {own} reload",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "RestartSec=100ms",
        "TimeoutStopSec=10",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        f"ReadWritePaths={data}",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "RestrictSUIDSGID=yes",
        "RestrictRealtime=yes",
        "RestrictNamespaces=yes",
        "LockPersonality=yes",
        "MemoryDenyWriteExecute=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    )
    return unit_text(("Unit", unit), ("Service", service), MULTI_USER)


def _apparmor(config: DnsHostConfig) -> str:
    return f"""\
# Written by rancherctl: the cluster's DNS server keeps its files here.
{config.etc}/ r,
{config.etc}/** r,
{config.data}/ rw,
{config.data}/** rwk,
"""


def resources(config: DnsHostConfig) -> tuple[Resource, ...]:
    """All resources of DNS on one host. Raises InvalidInputError if a setting is not valid in named.conf."""
    check(config)
    named, prepare = f"{config.etc}/named.conf", f"{config.etc}/prepare.sh"
    return (
        Package("bind9", mask=("named.service", "named-resolvconf.service")),
        Directory(config.etc),
        Directory(config.data, 0o2770, "root:bind"),
        File(named, named_conf(config).encode()),
        File(prepare, _PREPARE.encode(), 0o755),
        File(f"{config.etc}/upstreams", "".join(f"{bind_server(text)}\n" for text in config.upstreams).encode()),
        File(
            f"{config.etc}/stubs",
            stub_zones({domain: servers[:1] for domain, servers in config.stub_domains.items()}).encode(),
        ),
        File(APPARMOR_PATH, _apparmor(config).encode()),
        File(UNIT_PATH, _unit(config).encode()),
        # A new prepare.sh takes effect at the next start. A new unit does, too: release 0.1 wrote the upstreams into
        # it, and a restart would interrupt DNS and lose the cache on every host (docs/adr/0048).
        Unit(UNIT, restart_on=(APPARMOR_PATH,), reload_on=(named,), makes=(f"{config.etc}/tsig.key",)),
    )
