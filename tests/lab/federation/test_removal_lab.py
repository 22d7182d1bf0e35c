"""A federation is removed from its host: its members leave, and neither hosts, members nor the zone keep anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from rancherctl.contract import FEDERATION_LABEL
from rancherctl.lab.session import running_lab
from tests.lab import workloads as w
from tests.lab.federation.shop import everything, traces
from tests.lab.federation.sites import CONTROL_PLANE, KEY, ZONE, Part, start_public_dns
from tests.lab.support import Environment, curl, lab_name, make, until

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Pair:
    """The member m1 (h1), and the federation acme (h2) with its name server."""

    m1: Environment
    acme: Environment
    server: str

    def zone(self) -> list[list[str]]:
        """All records of the zone but its SOA: name, TTL, class, type, data."""
        script = f"dig +noall +answer +onesoa -k {KEY} @{self.server} {ZONE} axfr"
        found = [line.split(None, 4) for line in self.acme.ssh("h2", script).splitlines()]
        return sorted(record for record in found if record[3] != "SOA")


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Environments of this test's own, because it removes the federation."""
    home = tmp_path_factory.mktemp("pair")
    with running_lab(lab_name("r"), 2) as lab:
        f1 = Part(lab, ("h2",))
        server = f1.hosts()[0].address
        start_public_dns(f1, "h2", home)
        settings = {"zone": ZONE, "servers": [server]}
        acme = make("acme", f1, home, roles=CONTROL_PLANE, federation=settings)  # type: ignore[arg-type]
        m1 = make("m1", Part(lab, ("h1",)), home)  # type: ignore[arg-type]
        key = ("--dns-key-file", str(home / "acme.key"))
        commands = ((acme, ("federation", "create", *key)), (m1, ("env", "create")))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda c: c[0].ok(*c[1], "-f", str(c[0].file), timeout=900), commands))
        yield Pair(m1, acme, server)


def test_a_federation_is_removed_with_its_names_and_its_members_services_run_on(pair: Pair) -> None:
    """Case 57: website#3044, k/k#29335; 0 records and 0 markers are left, copies stay as ``--services keep`` says."""
    m1, acme = pair.m1, pair.acme
    until("zone marker", lambda: any(r[0].startswith("_rancherctl-acme.") for r in pair.zone()))
    foreign = [record for record in pair.zone() if not record[0].startswith("_rancherctl-acme.")]
    acme.ok("federation", "join", "acme", "--env", "m1")
    m1.apply(w.deployment("default", "web", 1))
    w.ready(m1, "default", "deployment", "web")
    port = {"name": "http", "port": 80, "targetPort": w.PORT}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [port]},
    }
    acme.apply(service)
    until("published", lambda: [r for r in pair.zone() if r[3] == "A" and r[0].startswith("web.default.acme.svc.")])
    address = until("address", lambda: m1.get("service", "web")["status"]["loadBalancer"]["ingress"][0]["ip"])
    refused = acme.rancherctl("env", "rm", "acme", "--confirm", "acme")
    assert (refused.returncode, "has members: m1" in refused.stderr) == (5, True)
    done = acme.rancherctl("env", "rm", "acme", "--confirm", "acme", "--services", "keep")
    assert done.returncode == 0, done.stderr
    assert "NO:" not in done.stderr
    assert "m1 has left acme" in done.stderr
    assert pair.zone() == foreign
    kept = m1.get("service", "web")
    assert FEDERATION_LABEL not in (kept["metadata"].get("labels") or {})
    assert kept["status"]["loadBalancer"]["ingress"][0]["ip"] == address
    assert curl(address, "x", "/healthz")[0] == 200
    assert traces(everything(m1)) == []
    assert acme.ssh("h2", "systemctl list-units --all --plain --no-legend 'rancherctl-*'").strip() == ""
    assert [row["name"] for row in json.loads(acme.ok("env", "ls", "-o", "json"))["items"]] == ["m1"]
