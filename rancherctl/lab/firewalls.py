"""Host firewalls of a lab, as sites have them: they deny by default, and allow ssh and the lab's subnets. Pure text.

So hosts reach each other, and pods reach nothing: packets with pod addresses are dropped on the way in and through.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

from rancherctl.lab.model import Firewall

MARK = "/var/lib/lab-firewall"
"""Exists on a host whose firewall is complete."""

_APT = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q --yes --no-install-recommends install"

_NFT = """\
{apt} nftables
cat > /etc/nftables.conf <<'RULES'
#!/usr/sbin/nft -f
flush ruleset
table inet filter {{
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    ct state invalid drop
    meta l4proto {{ icmp, ipv6-icmp }} accept
    tcp dport 22 accept
    ip saddr {{ {networks} }} accept
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
  }}
}}
RULES
systemctl enable --quiet nftables.service
systemctl restart nftables.service
"""

# Without IPv6: lab hosts have no such addresses, and ufw's rules for it need a kernel module that machines may lack.
_UFW = """\
{apt} ufw
sed -i 's/^IPV6=yes/IPV6=no/' /etc/default/ufw
ufw allow 22/tcp
{allow}
ufw --force enable
"""

_FIREWALLD = """\
{apt} firewalld
systemctl stop firewalld.service
{allow}
systemctl enable --quiet firewalld.service
systemctl start firewalld.service
"""


def script(firewall: Firewall, networks: Sequence[IPv4Network]) -> str:
    """The shell script that installs and enables a firewall on a host; does nothing where it is complete."""
    if firewall == "nft":
        body = _NFT.format(apt=_APT, networks=", ".join(map(str, networks)))
    elif firewall == "ufw":
        body = _UFW.format(apt=_APT, allow="\n".join(f"ufw allow from {network}" for network in networks))
    else:
        rule = "rule family=ipv4 source address={} accept"
        allow = "\n".join(f"firewall-offline-cmd --add-rich-rule='{rule.format(network)}'" for network in networks)
        body = _FIREWALLD.format(apt=_APT, allow=allow)
    # a shell that reads its script from standard input must not share it with apt
    return f"set -eu\nif [ -e {MARK} ]; then exit 0; fi\n{{\n{body}touch {MARK}\n}} </dev/null\n"
