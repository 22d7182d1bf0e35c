"""Three environments in one lab: members m1 (h1, h2) and m2 (h3), federation acme (h4) with a public name server."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype

from rancherctl.lab.session import Reach, RunningLab, running_lab
from tests.lab.support import Environment, lab_name, make

ZONE = "acme.example"
CONTROL_PLANE = [["etcd", "controlplane"]]
NAMED_CONF = """\
include "/var/lib/acme-dns/acme.key";
options { directory "/var/lib/acme-dns"; pid-file none; listen-on port 53 { any; }; listen-on-v6 { none; };
  recursion no; allow-transfer { key acme; }; dnssec-validation no; };
controls { };
zone "acme.example" { type primary; file "acme.zone"; update-policy { grant acme zonesub ANY; }; };
"""
ZONE_FILE = """\
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 30
@ NS ns1
ns1 A {address}
foreign A 192.0.2.99
foreign TXT "note of others"
"""
KEY = "/var/lib/acme-dns/acme.key"
ZONES = {"m1": "a", "m2": "b"}
"""Of the region eu."""


@dataclass(frozen=True)
class Part:
    """The hosts of one environment in a lab that several share."""

    lab: RunningLab
    names: Sequence[str]

    def hosts(self) -> Sequence[Reach]:
        return [host for host in self.lab.hosts() if host.name in self.names]

    def ssh(self, host: str, script: str, *, timeout: float = 120.0) -> str:
        return self.lab.ssh(host, script, timeout=timeout)


@dataclass(frozen=True)
class Sites:
    """The environments, and the public name server's address."""

    lab: RunningLab
    acme: Environment
    m1: Environment
    m2: Environment
    server: str

    @property
    def members(self) -> tuple[Environment, Environment]:
        return self.m1, self.m2

    def ask(self, name: str, kind: str = "A") -> dns.message.Message:
        """The public name server's answer about a name below the zone."""
        return dns.query.udp(dns.message.make_query(f"{name}.{ZONE}", kind), self.server, timeout=5)

    def public(self, name: str, kind: str = "A") -> list[str]:
        """What the public name server answers: addresses or targets, sorted; [] for NXDOMAIN and no data."""
        wanted = dns.rdatatype.from_text(kind)
        found = [rrset for rrset in self.ask(name, kind).answer if rrset.rdtype == wanted]
        return sorted(str(item) for rrset in found for item in rrset)

    def zone(self) -> list[list[str]]:
        """All records of the public zone as it is now: name, TTL, class, type, data."""
        script = f"dig +noall +answer +onesoa -k {KEY} @{self.server} {ZONE} axfr"
        return [line.split(None, 4) for line in self.acme.ssh("h4", script).splitlines()]

    def edit_zone(self, *lines: str) -> None:
        """Change the public zone as another program would: commands of nsupdate."""
        text = "\n".join((f"server {self.server}", f"zone {ZONE}.", *lines, "send"))
        self.acme.ssh("h4", f"nsupdate -k {KEY} <<'END'\n{text}\nEND")


def start_public_dns(part: Part, host: str, home: Path) -> None:
    """Run a BIND with the zone on a host; the key for updates is the file ``acme.key`` in ``home``, too."""
    address = part.hosts()[0].address
    key = home / "acme.key"
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    key.write_text(f'key "acme" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n')
    files = {"acme.key": key.read_text(), "named.conf": NAMED_CONF, "acme.zone": ZONE_FILE.format(address=address)}
    script = ["set -e", "install -d -o bind -g bind /var/lib/acme-dns", "systemctl mask --now named.service"]
    for name, text in files.items():
        encoded = base64.b64encode(text.encode()).decode()
        script.append(f"echo {encoded} | base64 -d > /var/lib/acme-dns/{name}")
    script += [
        "chown -R bind:bind /var/lib/acme-dns",
        "systemd-run --unit acme-dns /usr/sbin/named -g -u bind -c /var/lib/acme-dns/named.conf",
    ]
    part.ssh(host, "\n".join(script))


@contextmanager
def running_sites(home: Path) -> Iterator[Sites]:
    """Create the three environments, side by side, and join the members.

    RANCHERCTL_TEST_KEEP=NAME keeps them for the next run, as it does for the fixture ``shared``.
    """
    kept = os.environ.get("RANCHERCTL_TEST_KEEP", "")
    home = Path("/var/tmp", f"rancherctl-{kept}") if kept else home
    with running_lab(kept or lab_name("f"), 4, keep=bool(kept)) as lab:
        found = (home / "kubeconfig").exists()
        sites = _sites(lab, home, public_dns=not found)
        if found:
            for env in (sites.acme, *sites.members):
                env.ok("env", "apply", "-f", str(env.file))
        else:
            _create(sites, home / "acme.key")
        yield sites


def _sites(lab: RunningLab, home: Path, *, public_dns: bool) -> Sites:
    home.mkdir(parents=True, exist_ok=True)
    f1 = Part(lab, ("h4",))
    server = f1.hosts()[0].address
    if public_dns:
        start_public_dns(f1, "h4", home)
    acme = make("acme", f1, home, roles=CONTROL_PLANE, federation={"zone": ZONE, "servers": [server]})  # type: ignore[arg-type]
    m1, m2 = (make(name, Part(lab, hosts), home) for name, hosts in (("m1", ("h1", "h2")), ("m2", ("h3",))))  # type: ignore[arg-type]
    return Sites(lab, acme, m1, m2, server)


def _create(sites: Sites, key: Path) -> None:
    def create(env: Environment) -> None:
        words = ("federation", "create", "--dns-key-file", str(key)) if env is sites.acme else ("env", "create")
        env.ok(*words, "-f", str(env.file), timeout=900)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(create, (sites.acme, *sites.members)))
    for member in sites.members:
        for node in member.get("nodes")["items"]:
            places = [
                "topology.kubernetes.io/region=eu",
                f"topology.kubernetes.io/zone={ZONES[member.name]}",
            ]
            member.kubectl("label", "node", node["metadata"]["name"], *places)
        join(sites, member)


def join(sites: Sites, member: Environment) -> str:
    """Join a member with its labels; returns what was said."""
    labels = ("--label", "env=prod") if member is sites.m1 else ()
    return sites.acme.rancherctl("federation", "join", "acme", "--env", member.name, *labels).stderr
