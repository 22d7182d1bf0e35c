"""One leader at a time; agents can write only their own Lease and report."""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import workloads as w
from tests.lab.support import CommandError, Environment, until

SYSTEM = "rancherctl-system"
OTHER = "rancherctl-test-controller.service"
CONTROLLER = "rancherctl-controller.service"
AUDIT = "/var/log/rancherctl/audit/audit.log"


def holder(env: Environment) -> tuple[str, int]:
    """(identity, transitions) of the controllers' Lease."""
    spec = env.get("lease", "rancherctl-controller", "-n", SYSTEM)["spec"]
    return spec.get("holderIdentity", ""), spec.get("leaseTransitions", 0)


@pytest.fixture
def standby(shared: Environment) -> Iterator[str]:
    """A second controller process on h1 with identity `other` and the same credential.

    Afterwards it stops, and the first process continues.
    """
    pyz = "/opt/rancherctl/agent/current/agent.pyz"
    shared.ssh(
        "h1",
        f"systemd-run --quiet --collect --unit={OTHER} python3 -I {pyz} controller "
        "--config /etc/rancherctl/controller.json --identity other",
    )
    yield "other"
    shared.ssh(
        "h1",
        f"systemctl kill -s CONT {CONTROLLER}; systemctl stop {OTHER}; "
        f"systemctl reset-failed {OTHER} 2>/dev/null || true",
    )
    until("the first controller leads again", lambda: holder(shared)[0] == "h1")


def writes(env: Environment) -> list[dict[str, Any]]:
    """Successful writes of the controllers in the API's audit log, oldest first; Leases are not in it."""
    lines = env.ssh("h1", f"grep -h '\"rancherctl:controller\"' {AUDIT} || true").splitlines()
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):  # the last line may be half written
            event = json.loads(line)
            if (
                event["verb"] in {"create", "update", "patch", "delete"}
                and event.get("responseStatus", {}).get("code", 0) < 300
            ):
                found.append(event)
    return found


def test_a_frozen_leader_writes_nothing_after_it_continues(shared: Environment, namespace: str, standby: str) -> None:
    """A leader is stopped in the middle of its work; the standby does it; the old one then only stands by."""
    w.web(shared, namespace, 1)
    name = "frozen"
    shared.apply(w.ingress(namespace, name, w.host(namespace), "web", scale="1"))
    w.published(shared, namespace, name, 1)
    until("the first controller leads", lambda: holder(shared)[0] == "h1")
    epoch = holder(shared)[1]
    # Edit and freeze follow each other as closely as two commands can: the old leader has this work in progress.
    shared.kubectl("annotate", "ingress", name, "-n", namespace, "scale=3", "--overwrite")
    shared.ssh("h1", f"systemctl kill -s STOP {CONTROLLER}")
    until("the standby takes over", lambda: holder(shared) == (standby, epoch + 1), pause=0.3)
    w.published(shared, namespace, name, 3)
    roster = json.loads(shared.get("configmap", "roster", "-n", SYSTEM)["data"]["roster"])
    assert roster["epoch"] == epoch + 1
    assert all(h["alive"] for h in roster["hosts"] if h["lb"]), "an election does not empty the roster"
    before = len(writes(shared))
    # A change that an old leader with old data would revert as soon as it continues.
    shared.kubectl("annotate", "ingress", name, "-n", namespace, "scale=2", "--overwrite")
    thawed = shared.ssh("h1", "date +%s").strip()
    shared.ssh("h1", f"systemctl kill -s CONT {CONTROLLER}")
    w.published(shared, namespace, name, 2)
    until(
        "the old leader noticed",
        lambda: "no longer leader" in shared.ssh("h1", f"journalctl -q -u {CONTROLLER} -o cat --since=@{thawed}"),
    )
    late = writes(shared)[before:]
    assert late, "the new leader's own write is in the audit log"
    assert [e for e in late if "(h1)" in e["userAgent"]] == []
    assert all("(other)" in e["userAgent"] for e in late)
    assert holder(shared) == (standby, epoch + 1)


def asked(env: Environment, credential: str, method: str, path: str, body: str) -> tuple[int, str]:
    """Status and body of the answer to a request that h1 sends with one of its own credentials."""
    pki = "/etc/rancherctl/pki"
    own = f"--cacert {pki}/ca.crt --cert {pki}/{credential}.crt --key {pki}/{credential}.key"
    head = f"curl -s -m 30 -w '\\n%{{http_code}}' {own}"
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer, _, status = env.ssh(
        "h1", f"{head} -X {method} -H 'Content-Type: {kind}' -d '{body}' https://127.0.0.1:7443{path}"
    ).rpartition("\n")
    return int(status), answer


def test_an_agent_can_write_only_its_own_lease_and_report(shared: Environment) -> None:
    """Neither h2's nor the roster nor anything else: shown by `can-i --list` and by real requests."""
    who = ("--as=rancherctl:agent:h1", "--as-group=rancherctl:agents", "--as-group=system:authenticated")
    table = shared.kubectl("auth", "can-i", "--list", "-n", SYSTEM, *who)
    print(table)
    found = [re.fullmatch(r"(\S+) +\[.*?\] +\[(.*?)\] +\[(.*?)\]", line) for line in table.splitlines()]
    rights = [(m[1], m[2], set(m[3].split())) for m in found if m]
    writing = {(resource, names) for resource, names, verbs in rights if verbs - {"get", "list", "watch", "create"}}
    assert writing == {("configmaps", "report-h1"), ("leases.coordination.k8s.io", "host-h1")}
    creating = {resource.partition(".")[0] for resource, _, verbs in rights if "create" in verbs}
    assert creating == {
        "certificatesigningrequests",
        "selfsubjectreviews",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
    }

    def answer(method: str, path: str, body: str) -> int:
        return asked(shared, "agent", method, path, body)[0]

    leases, maps = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases", f"/api/v1/namespaces/{SYSTEM}/configmaps"
    label = '{"metadata":{"labels":{"seen":"by-test"}}}'
    assert answer("PATCH", f"{leases}/host-h1", label) == 200
    assert answer("PATCH", f"{leases}/host-h1", '{"metadata":{"labels":{"seen":null}}}') == 200
    forbidden = (
        f"{leases}/host-h2",
        f"{leases}/rancherctl-controller",
        f"{maps}/report-h2",
        f"{maps}/roster",
        "/api/v1/nodes/h2",
        "/api/v1/nodes/h1",
    )
    for path in forbidden:
        assert answer("PATCH", path, label) == 403, path
    for path in (leases, maps, "/api/v1/namespaces/default/pods"):
        assert answer("POST", path, '{"metadata":{"name":"x"}}') == 403, path
    assert answer("GET", "/api/v1/namespaces/kube-system/secrets", "") == 403


def test_a_kubelet_cannot_change_its_labels_for_the_roster_or_its_addresses(shared: Environment) -> None:
    """Its credential neither makes the host a load balancer nor publishes other addresses; the rest is allowed."""
    who = ("--as=system:node:h1", "--as-group=system:nodes", "--as-group=system:authenticated", "--overwrite")
    for words in (
        ("label", "node", "h1", "rancherctl.io/load-balancer=no"),
        ("annotate", "node", "h1", "rancherctl.io/public-address=192.0.2.66"),
        ("annotate", "node", "h1", "rancherctl.io/labels=x"),
    ):
        with pytest.raises(CommandError, match="is set by `rancherctl env apply`, not by hosts"):
            shared.kubectl(*words, *who)
    elsewhere = '{"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.66"}]}}'
    status, answer = asked(shared, "kubelet", "PATCH", "/api/v1/nodes/h1/status", elsewhere)
    assert (status, "a Node keeps the addresses with which it joined" in answer) == (422, True), answer
    shared.kubectl("annotate", "node", "h1", "seen=by-test", *who)
    shared.kubectl("annotate", "node", "h1", "seen-", *who[:3])
