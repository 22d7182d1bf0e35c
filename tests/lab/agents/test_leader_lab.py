"""One leader at a time, and agents that can write their own words only."""

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
    """A second controller process on h1 under the identity `other`, with the same credential; thaws the first one afterwards."""
    pyz = "/opt/rancherctl/agent/current/agent.pyz"
    shared.ssh(
        "h1",
        f"systemd-run --quiet --collect --unit={OTHER} python3 -I {pyz} controller --config /etc/rancherctl/controller.json --identity other",
    )
    yield "other"
    shared.ssh(
        "h1",
        f"systemctl kill -s CONT {CONTROLLER}; systemctl stop {OTHER}; systemctl reset-failed {OTHER} 2>/dev/null || true",
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


def test_frozen_leader_writes_nothing_after_thawing(shared: Environment, namespace: str, standby: str) -> None:
    """The leader is frozen with work in hand; the standby takes over and does it; thawed, the old one writes nothing and stands by."""
    w.web(shared, namespace, 1)
    name = "frozen"
    shared.apply(w.ingress(namespace, name, w.host(namespace), "web", scale="1"))
    w.published(shared, namespace, name, 1)
    until("the first controller leads", lambda: holder(shared)[0] == "h1")
    epoch = holder(shared)[1]
    # The edit and the freeze are as close together as two commands can be: the old leader has this work in hand, or half done.
    shared.kubectl("annotate", "ingress", name, "-n", namespace, "scale=3", "--overwrite")
    shared.ssh("h1", f"systemctl kill -s STOP {CONTROLLER}")
    until("the standby takes over", lambda: holder(shared) == (standby, epoch + 1), pause=0.3)
    w.published(shared, namespace, name, 3)
    roster = json.loads(shared.get("configmap", "roster", "-n", SYSTEM)["data"]["roster"])
    assert roster["epoch"] == epoch + 1
    assert all(h["alive"] for h in roster["hosts"] if h["lb"]), "an election empties no roster"
    before = len(writes(shared))
    # Something that an old leader with an old picture would put right, at the moment it thaws.
    shared.kubectl("annotate", "ingress", name, "-n", namespace, "scale=2", "--overwrite")
    thawed = shared.ssh("h1", "date +%s").strip()
    shared.ssh("h1", f"systemctl kill -s CONT {CONTROLLER}")
    w.published(shared, namespace, name, 2)
    until(
        "the old one knows",
        lambda: "no longer leader" in shared.ssh("h1", f"journalctl -q -u {CONTROLLER} -o cat --since=@{thawed}"),
    )
    late = writes(shared)[before:]
    assert late, "the new leader's own write is in the audit log"
    assert [e for e in late if "(h1)" in e["userAgent"]] == []
    assert all("(other)" in e["userAgent"] for e in late)
    assert holder(shared) == (standby, epoch + 1)


def asked(env: Environment, credential: str, method: str, path: str, body: str) -> tuple[int, str]:
    """Status and body of a request that h1 sends with a credential of its own."""
    pki = "/etc/rancherctl/pki"
    head = f"curl -s -m 30 -w '\\n%{{http_code}}' --cacert {pki}/ca.crt --cert {pki}/{credential}.crt --key {pki}/{credential}.key"
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    said, _, status = env.ssh(
        "h1", f"{head} -X {method} -H 'Content-Type: {kind}' -d '{body}' https://127.0.0.1:7443{path}"
    ).rpartition("\n")
    return int(status), said


def test_agent_writes_its_own_words_only(shared: Environment) -> None:
    """h1's agent may write its own Lease and report, and neither h2's nor the roster nor anything else: `can-i --list`, and for real."""
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


def test_a_kubelet_does_not_choose_its_own_part(shared: Environment) -> None:
    """Whoever has its credential can neither make that host a load balancer (or none) nor publish other addresses for it; the rest is its own."""
    who = ("--as=system:node:h1", "--as-group=system:nodes", "--as-group=system:authenticated", "--overwrite")
    for words in (
        ("label", "node", "h1", "rancherctl.io/load-balancer=no"),
        ("annotate", "node", "h1", "rancherctl.io/public-address=192.0.2.66"),
        ("annotate", "node", "h1", "rancherctl.io/labels=x"),
    ):
        with pytest.raises(CommandError, match="is set by `rancherctl env apply`, not by hosts"):
            shared.kubectl(*words, *who)
    elsewhere = '{"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.66"}]}}'
    status, said = asked(shared, "kubelet", "PATCH", "/api/v1/nodes/h1/status", elsewhere)
    assert (status, "the addresses of a Node stay as they were when it joined" in said) == (422, True), said
    shared.kubectl("annotate", "node", "h1", "seen=by-test", *who)
    shared.kubectl("annotate", "node", "h1", "seen-", *who[:3])
