"""The second part of `make demo`: a second environment, a federation of both, and public names that follow health.

Hosts of the demo's lab: h1 to h4 are the first environment, h5 and h6 the second, h7 the federation with the public
name server beside it.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

PARIS, ACME, ZONE = "paris", "acme", "acme.example"
PARIS_HOSTS, FEDERATION_HOST = ("h5", "h6"), "h7"
EXTRA_HOSTS = len(PARIS_HOSTS) + 1
SERVICE, PORT = "shop", 9090
GONE_SECONDS, BACK_SECONDS = 10.0, 60.0
"""How fast the names are to follow a member that loses power, and one that is back."""
PODS = Path(__file__).resolve().parent.parent / "examples" / "sample.yaml"

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
"""
FEDERATED = f"""\
apiVersion: v1
kind: Service
metadata: {{name: {SERVICE}}}
spec:
  type: LoadBalancer
  selector: {{app: web}}
  ports: [{{port: {PORT}, targetPort: 8080}}]
"""


@dataclass(frozen=True)
class Tools:
    """What the demo's main module provides: run a command, measure, wait, and the lab's hosts by name."""

    run: Callable[..., str]
    timed: Callable[[str, Callable[[], Any]], Any]
    wait_until: Callable[..., Any]
    addresses: Callable[[], dict[str, str]]
    lab: str
    first: str
    folder: Path
    bundle: str


def names() -> tuple[str, str, str]:
    """The three names of the Service: of the first member's zone, of its region, and of all."""
    base = f"{SERVICE}.default.{ACME}.svc"
    return f"{base}.a.eu.{ZONE}", f"{base}.eu.{ZONE}", f"{base}.{ZONE}"


def show(tools: Tools) -> None:
    """Create the second environment and the federation, and let a member lose power."""
    addresses = tools.addresses()
    folder = tools.folder / "federation"
    folder.mkdir(mode=0o700, exist_ok=True)
    key = public_dns(tools, addresses[FEDERATION_HOST], folder)
    chosen = ("--ssh-config", str(tools.folder / "ssh_config"), "--bundle", tools.bundle)
    hosts = [word for name in PARIS_HOSTS for word in ("--host", f"root@{addresses[name]}")]
    tools.timed(
        f"second environment: {PARIS}", lambda: tools.run("rancherctl", "env", "create", PARIS, *chosen, *hosts)
    )
    federation = ("--host", f"root@{addresses[FEDERATION_HOST]}", "--zone", ZONE)
    dns = ("--server", addresses[FEDERATION_HOST], "--dns-key-file", str(key))
    tools.timed(
        f"federation: {ACME}", lambda: tools.run("rancherctl", "federation", "create", ACME, *chosen, *federation, *dns)
    )
    for env, zone in ((tools.first, "a"), (PARIS, "b")):
        place = ("topology.kubernetes.io/region=eu", f"topology.kubernetes.io/zone={zone}")
        kubectl(tools, env, "label", "nodes", "--all", *place)
        tools.run("rancherctl", "federation", "join", ACME, "--env", env)
    kubectl(tools, PARIS, "apply", "-f", str(PODS))
    kubectl(tools, PARIS, "rollout", "status", "deployment/web", "--timeout=120s")
    file = folder / "service.yaml"
    file.write_text(FEDERATED)
    members = tools.timed("federated Service: both members in its public name", lambda: published(tools, file))
    tools.run("rancherctl", "federation", "services", SERVICE, "--federation", ACME)
    for name in names():
        dig(tools, name)
    tools.run("rancherctl", "federation", "ls", "--federation", ACME)
    lose_power(tools, members)


def kubectl(tools: Tools, env: str, *words: str, **options: Any) -> str:
    return tools.run("rancherctl", "kubectl", "--env", env, *words, **options)


def public_dns(tools: Tools, address: str, folder: Path) -> Path:
    """Run a BIND with the public zone on the federation's host; returns the file with the key for updates."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    key = folder / "acme.key"
    key.write_text(f'key "acme" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n')
    key.chmod(0o600)
    files = {"acme.key": key.read_text(), "named.conf": NAMED_CONF, "acme.zone": ZONE_FILE.format(address=address)}
    script = ["set -e", "install -d -o bind -g bind /var/lib/acme-dns"]
    for name, text in files.items():
        script.append(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > /var/lib/acme-dns/{name}")
    script += [
        "chown -R bind:bind /var/lib/acme-dns",
        "systemctl disable -q --now named.service",
        "systemd-run -q --unit acme-dns /usr/sbin/named -g -u bind -c /var/lib/acme-dns/named.conf",
    ]
    on_host(tools, FEDERATION_HOST, "\n".join(script), quiet=True)
    return key


def on_host(tools: Tools, host: str, script: str, **options: Any) -> str:
    return tools.run("rancherctl", "lab", "ssh", "--name", tools.lab, host, "sh", "-c", script, **options)


def dig(tools: Tools, name: str) -> None:
    """Ask the public name server from a host of the first environment, and show it."""
    server = tools.addresses()[FEDERATION_HOST]
    tools.run("rancherctl", "lab", "ssh", "--name", tools.lab, "h1", "dig", f"@{server}", "+short", name)


def answered(server: str, name: str) -> list[str]:
    """The addresses that the public name server answers; [] without an answer."""
    question = dns.message.make_query(name, "A")
    try:
        answer = dns.query.udp(question, server, timeout=2)
    except (OSError, dns.exception.DNSException):
        return []
    return sorted(str(item) for found in answer.answer if found.rdtype == dns.rdatatype.A for item in found)


def status_addresses(tools: Tools, env: str) -> list[str]:
    """The addresses in the status of the Service in one environment."""
    text = kubectl(tools, env, "get", "service", SERVICE, "-o", "json", quiet=True, check=False)
    status = json.loads(text or "{}").get("status") or {}
    return sorted(entry["ip"] for entry in (status.get("loadBalancer") or {}).get("ingress") or ())


def published(tools: Tools, file: Path) -> dict[str, list[str]]:
    """Create the Service; returns each member's addresses once the public name has all of them."""
    kubectl(tools, ACME, "apply", "-f", str(file))
    kubectl(
        tools,
        ACME,
        "wait",
        "--for=condition=federation.rancherctl.io/Propagated",
        f"service/{SERVICE}",
        "--timeout=60s",
    )
    found: dict[str, list[str]] = tools.wait_until("both members in the public name", lambda: complete(tools))
    return found


def complete(tools: Tools) -> dict[str, list[str]]:
    """Each member's addresses if the public name has just these; else {}."""
    found = {env: status_addresses(tools, env) for env in (tools.first, PARIS)}
    wanted = sorted(address for listed in found.values() for address in listed)
    server = tools.addresses()[FEDERATION_HOST]
    return found if all(found.values()) and answered(server, names()[-1]) == wanted else {}


def lose_power(tools: Tools, members: dict[str, list[str]]) -> None:
    """Power the second member off and on again, and watch its addresses leave the names and come back."""
    others = members[tools.first]
    for host in PARIS_HOSTS:
        tools.run("rancherctl", "lab", "host", "stop", host, "--name", tools.lab)
    server, out = tools.addresses()[FEDERATION_HOST], "member without power: out of the public names"
    follow(tools, out, lambda: answered(server, names()[-1]) == others, GONE_SECONDS)
    dig(tools, names()[-1])
    for host in PARIS_HOSTS:
        tools.run("rancherctl", "lab", "host", "start", host, "--name", tools.lab)
    # Its Service may have moved to the host that was there first.
    follow(tools, "member with power again: back in the public names", lambda: complete(tools), BACK_SECONDS)
    dig(tools, names()[-1])
    tools.run("rancherctl", "federation", "services", SERVICE, "--federation", ACME)


def follow(tools: Tools, title: str, right: Callable[[], object], within: float) -> None:
    """Wait until the public name is ``right``; says so if that takes more than ``within`` seconds."""
    began = time.monotonic()
    tools.timed(title, lambda: tools.wait_until(title, right, 180.0))
    taken = time.monotonic() - began
    if taken > within:
        print(f"demo: it took {taken:.1f} s, more than the {within:.0f} s that it should", file=sys.stderr)
