"""What stolen credentials of the federation are worth in a real member, and what a hostile member can publish."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rancherctl.contract import FEDERATION_LABEL, FEDERATION_UID_ANNOTATION, PUBLIC_ADDRESS_ANNOTATION
from tests.lab.federation.shop import (
    SPACE,
    absent,
    addresses,
    body,
    open_space,
    own_addresses,
    public_name,
    service,
    services,
    status,
    wait_for,
)
from tests.lab.federation.sites import Sites
from tests.lab.support import Environment, until

pytestmark = pytest.mark.slow

OWN = "rancherctl-federation-acme"


@dataclass(frozen=True)
class Thief:
    """Uses one token from the network, as somebody who has stolen it."""

    env: Environment
    server: str
    ca: Path
    token: str

    def kubectl(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        argv = ["kubectl", "--kubeconfig=/dev/null", f"--server={self.server}", f"--certificate-authority={self.ca}"]
        return subprocess.run(
            [*argv, f"--token={self.token}", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.env.variables,
            check=False,
        )

    def refused(self, *words: str, stdin: str = "", why: str = "forbidden") -> None:
        done = self.kubectl(*words, stdin=stdin)
        assert done.returncode != 0, f"{words} was allowed: {done.stdout}"
        assert why in done.stderr, f"{words}: {done.stderr}"

    def with_token(self, token: str) -> Thief:
        return Thief(self.env, self.server, self.ca, token)


def cluster(sites: Sites, name: str) -> dict[str, object]:
    found: dict[str, object] = sites.acme.get("clusters.federation.rancherctl.io", name)["spec"]
    return found


@pytest.fixture
def renewer(shop: Sites, tmp_path: Path) -> Thief:
    """The token that lies in the federation's API for m2."""
    spec = cluster(shop, "m2")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(base64.b64decode(str(spec["caBundle"])))
    secret = shop.acme.get("secret", "cluster-m2", "-n", "rancherctl-federation")["data"]
    servers: list[str] = spec["servers"]  # type: ignore[assignment]
    return Thief(shop.m2, servers[0], ca, base64.b64decode(secret["token"]).decode())


@pytest.fixture
def worker(renewer: Thief, shop: Sites) -> Thief:
    """A work token, which the renewer's token buys."""
    done = renewer.kubectl(*token_request(shop, "controller", "1h"))
    assert done.returncode == 0, done.stderr
    return renewer.with_token(done.stdout.strip())


def token_request(sites: Sites, account: str, lifetime: str) -> list[str]:
    uid = sites.m2.get("secret", "session", "-n", OWN)["metadata"]["uid"]
    bound = ("--bound-object-kind=Secret", "--bound-object-name=session", f"--bound-object-uid={uid}")
    return ["-n", OWN, "create", "token", account, f"--duration={lifetime}", *bound]


def test_a_stolen_renewer_token_buys_short_work_tokens_only(renewer: Thief, shop: Sites) -> None:
    """Cases 32, 33: it reads nothing, changes nothing, and cannot make what lasts longer than an hour."""
    renewer.refused("get", "services", "-A")
    renewer.refused("get", "namespaces")
    renewer.refused("-n", OWN, "get", "secret", "session")
    renewer.refused("-n", OWN, "delete", "secret", "session")
    renewer.refused("create", "namespace", "evil")
    renewer.refused("-n", OWN, "create", "token", "controller", why="ValidatingAdmissionPolicy")
    renewer.refused(*token_request(shop, "controller", "2h"), why="ValidatingAdmissionPolicy")
    renewer.refused(*token_request(shop, "renewer", "745h"), why="ValidatingAdmissionPolicy")
    renewer.refused("-n", "default", "create", "token", "default")
    rows = renewer.kubectl("auth", "can-i", "--list").stdout.splitlines()[1:]
    resources = {row.split()[0] for row in rows if not row.startswith(" ")}
    assert all(name.startswith("selfsubject") for name in resources), resources


def test_a_stolen_work_token_reaches_the_federations_own_copies_only(worker: Thief, shop: Sites) -> None:
    """Case 32: refused writes at the real API; what is not the federation's is neither changed nor read."""
    uid = shop.acme.get("namespace", "kube-system")["metadata"]["uid"]
    marks = {"labels": {FEDERATION_LABEL: "acme"}, "annotations": {FEDERATION_UID_ANNOTATION: uid}}
    forged = json.dumps(_marked("evil", "kube-system", marks))
    worker.refused("create", "-f", "-", stdin=forged, why="kube-* and rancherctl-*")
    worker.refused("-n", SPACE, "create", "deployment", "evil", "--image=evil")
    worker.refused("-n", "kube-system", "create", "deployment", "evil", "--image=evil")
    worker.refused("-n", SPACE, "create", "secret", "generic", "evil")
    worker.refused("get", "secrets", "-A")
    worker.refused("-n", SPACE, "get", "configmaps")
    worker.refused("-n", SPACE, "get", "pods")
    worker.refused("-n", SPACE, "run", "evil", "--image=evil")
    worker.refused("create", "clusterrole", "evil", "--verb=get", "--resource=secrets")
    worker.refused("create", "clusterrolebinding", "evil", "--clusterrole=cluster-admin", "--user=evil")
    worker.refused("-n", OWN, "create", "token", "controller")
    worker.refused("delete", "validatingadmissionpolicies", "--all")
    worker.refused("delete", "node", "h3")
    worker.refused("label", "namespace", "kube-system", f"{FEDERATION_LABEL}=acme", why="ValidatingAdmissionPolicy")
    worker.refused("delete", "namespace", SPACE)
    worker.refused("-n", SPACE, "create", "service", "clusterip", "evil", "--tcp=80", why="only its own copies")
    worker.refused("-n", "default", "delete", "service", "kubernetes", why="only its own copies")
    # every API server of an environment refuses foreign addresses (ADR 32), so that a copy cannot claim them, either
    claims = json.dumps(_marked("evil", SPACE, marks, externalIPs=["192.0.2.1"]))
    worker.refused("create", "-f", "-", stdin=claims, why="external IPs is denied")
    assert worker.kubectl("get", "services", "-A").returncode == 0  # a policy cannot narrow reads: said, not hidden


def _marked(name: str, namespace: str, marks: dict[str, dict[str, str]], **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, **marks},
        "spec": {"ports": [{"port": 80}], **spec},
    }


@pytest.fixture
def closed(shop: Sites) -> Iterator[str]:
    """The namespace of m2 is not open to the federation any more."""
    shop.m2.kubectl("label", "namespace", SPACE, f"{FEDERATION_LABEL}-")
    yield SPACE
    open_space(shop.m2)


def test_a_namespace_that_its_people_closed_gets_nothing_new(shop: Sites, closed: str) -> None:
    """R-d: the label on a Namespace is the member's own word; the federation cannot put it there."""
    with services(shop, body("unwanted")):
        until("in m1", lambda: not absent(shop.m1, "unwanted"))
        until("reported", lambda: status(shop, "unwanted")["members"]["m2"]["state"] == "Conflict")
        assert absent(shop.m2, "unwanted")
        assert FEDERATION_LABEL not in (shop.m2.get("namespace", closed)["metadata"].get("labels") or {})
        open_space(shop.m2)
        wait_for(shop, "unwanted")


def test_a_hostile_member_publishes_no_address_but_its_own(shop: Sites) -> None:
    """Its administrator gives a host somebody else's address: it is in no name and in no status of the federation."""
    stolen = "203.0.113.66"
    with services(shop, body("hostile")):
        own = own_addresses(shop, "hostile")
        assert stolen not in cluster(shop, "m2")["addresses"]  # type: ignore[operator]
        note = f"{PUBLIC_ADDRESS_ANNOTATION}={stolen}"
        shop.m2.kubectl("annotate", "node", "h3", note)
        try:
            until("claimed", lambda: addresses(shop.m2, "hostile") == [stolen])
            until("refused", lambda: stolen in status(shop, "hostile")["members"]["m2"].get("refused", {}))
            until("only m1", lambda: shop.public(public_name("hostile")) == sorted(own["m1"]))
            assert addresses(shop.acme, "hostile") == sorted(own["m1"])
            # its own environment withdraws an address that kube-proxy does not have, and tries again
            words = ("federation", "services", f"{SPACE}/hostile")
            until("said", lambda: "not in spec.addresses" in shop.acme.ok(*words))
        finally:
            shop.m2.kubectl("annotate", "node", "h3", f"{PUBLIC_ADDRESS_ANNOTATION}-")
        until("back", lambda: shop.public(public_name("hostile")) == sorted(own["m1"] + own["m2"]))


def test_what_a_member_marks_as_a_copy_itself_gets_no_name(shop: Sites) -> None:
    """A Service with the federation's marks, but without an object in the federation, is listed and not touched."""
    uid = shop.acme.get("namespace", "kube-system")["metadata"]["uid"]
    marks = {"labels": {FEDERATION_LABEL: "acme"}, "annotations": {FEDERATION_UID_ANNOTATION: uid}}
    forged = body("forged", port=82)
    forged["metadata"] |= marks
    with services(shop, body("real")):
        wait_for(shop, "real")
        shop.m2.apply(forged)
        try:
            until("address", lambda: addresses(shop.m2, "forged"))
            before = service(shop.m2, "forged")["metadata"]["uid"]
            until("later change is in", lambda: status(shop, "real")["members"]["m2"]["state"] == "InSync")
            own_addresses(shop, "real")
            assert not shop.ask(public_name("forged")).answer
            assert service(shop.m2, "forged")["metadata"]["uid"] == before
        finally:
            shop.m2.kubectl("-n", SPACE, "delete", "service", "forged")
