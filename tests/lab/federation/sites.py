"""Three environments in one lab: members m1 (h1, h2) and m2 (h3), federation acme (h4) with a public name server."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
"""


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

    acme: Environment
    m1: Environment
    m2: Environment
    server: str

    @property
    def members(self) -> tuple[Environment, Environment]:
        return self.m1, self.m2

    def public(self, name: str, kind: str = "A") -> list[str]:
        """What the public name server answers: addresses or targets, sorted; [] for NXDOMAIN and no data."""
        question = dns.message.make_query(f"{name}.{ZONE}", kind)
        answer = dns.query.udp(question, self.server, timeout=5)
        wanted = dns.rdatatype.from_text(kind)
        return sorted(str(item) for found in answer.answer if found.rdtype == wanted for item in found)


def start_public_dns(part: Part, host: str, home: Path) -> tuple[str, Path]:
    """Run a BIND with the zone on a host; returns its address and the file with the key for updates."""
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
    return address, key


@contextmanager
def running_sites(home: Path) -> Iterator[Sites]:
    """Create the three environments, side by side, and join the members."""
    with running_lab(lab_name("f"), 4) as lab:
        f1 = Part(lab, ("h4",))
        server, key = start_public_dns(f1, "h4", home)
        federation = {"zone": ZONE, "servers": [server]}
        parts: dict[str, tuple[Part, dict[str, Any]]] = {
            "acme": (f1, {"roles": CONTROL_PLANE, "federation": federation}),
            "m1": (Part(lab, ("h1", "h2")), {}),
            "m2": (Part(lab, ("h3",)), {}),
        }
        made = {name: make(name, part, home, **spec) for name, (part, spec) in parts.items()}  # type: ignore[arg-type]

        def create(name: str) -> None:
            words = ("federation", "create", "--dns-key-file", str(key)) if name == "acme" else ("env", "create")
            made[name].ok(*words, "-f", str(made[name].file), timeout=900)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(create, parts))
        acme = made["acme"]
        for number, name in enumerate(("m1", "m2")):
            for node in made[name].get("nodes")["items"]:
                labels = [f"topology.kubernetes.io/region=eu{number + 1}", f"topology.kubernetes.io/zone=z{number + 1}"]
                made[name].kubectl("label", "node", node["metadata"]["name"], *labels)
            env = ("--label", "env=prod") if name == "m1" else ()
            acme.ok("federation", "join", "acme", "--env", name, *env)
        yield Sites(acme, made["m1"], made["m2"], server)
