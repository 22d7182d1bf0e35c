"""Plans as values, what an existing environment refuses to become, objects and Nodes compared, rights as small as they should be."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.agents import roster
from rancherctl.bundle.model import Bundle, manifest
from rancherctl.change import Change, Unknown
from rancherctl.credentials import tokens
from rancherctl.environments import immutable_fields, nodes
from rancherctl.environments import plan as plans
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags, load
from rancherctl.environments.manifests import manifests
from rancherctl.environments.manifests.base import record
from rancherctl.environments.model import Environment, Ingress
from rancherctl.environments.observe import World
from rancherctl.environments.phases import HOST_PHASES, PHASES
from rancherctl.environments.pki.wanted import CertChange
from rancherctl.environments.plan import EnvironmentPlan, Step
from rancherctl.environments.reconcile import _planned
from rancherctl.environments.run import Run
from rancherctl.environments.waiting import until
from rancherctl.errors import AuthError, RancherctlError, RefusedError, TimeoutExceededError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts.model import Host, Unit
from rancherctl.hosts.state import desired, state
from rancherctl.hosts.transport import Transport
from rancherctl.ingress.translate.classes import is_rancher
from rancherctl.kube import objects
from rancherctl.kube.kinds import Kinds
from rancherctl.kube.objects import Meta, Node

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
BOSS, WORKER = ENV.hosts


def test_nothing_may_be_joined_before_the_api_runs() -> None:
    names = [phase.name for phase in PHASES]
    for first, second in (
        ("preflight", "lock"), ("lock", "packages"), ("packages", "artefacts"), ("artefacts", "certificates"), ("certificates", "etcd"),
        ("etcd", "control-plane"), ("control-plane", "objects"), ("objects", "nodes"), ("nodes", "agents"), ("agents", "ready"), ("ready", "record"),
    ):  # fmt: skip
        assert names.index(first) < names.index(second)
    assert set(HOST_PHASES) < set(names)


def test_a_plan_is_falsy_when_empty_and_its_digest_tells_plans_apart() -> None:
    step = Step("h1", "file", "create", "/etc/x", ("+a",))
    one = EnvironmentPlan("demo", (plans.phase_plan("nodes", [step]),))
    assert not EnvironmentPlan("demo")
    assert one.counts() == {"create": 1}
    assert (
        one.digest() == EnvironmentPlan("demo", (plans.phase_plan("nodes", [replace(step, detail=("+b",))]),)).digest()
    )
    assert one.digest() != EnvironmentPlan("demo", (plans.phase_plan("nodes", [replace(step, host="h2")]),)).digest()


def test_steps_say_what_happens_in_words() -> None:
    package = state("package", "haproxy", installed="yes", masked="haproxy.service")
    assert plans.resource_step("h1", Change("k", None, package)).line() == "install package haproxy"
    artefact = state("artefact", "/opt/x", sha256="0")
    assert plans.resource_step("h1", Change("k", None, artefact)).line() == "upload artefact /opt/x"
    unit = state("unit", "x.service", active="yes", enabled="yes", started_with="b", loaded_with="")
    old = state("unit", "x.service", active="yes", enabled="yes", started_with="a", loaded_with="")
    assert plans.resource_step("h1", Change("k", old, unit, "restart: /etc/x")).line() == "restart unit x.service"
    makes = desired(Unit("x.service", makes=("/etc/made",)), {})
    assert plans.resource_step("h1", Change("k", None, makes)).detail == ("it makes /etc/made",)
    assert plans.resource_step("h1", Change("k", unit, makes, "restart: /etc/x")).detail == ("restart: /etc/x",)
    step = plans.certificate_step("h1", CertChange("certificate", "agent", "/p/agent.crt", "create", "missing"))
    assert step.line() == "create certificate /p/agent.crt"
    assert "/p/agent.key stays on the host" in step.detail[0]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (
            replace(ENV, network=replace(ENV.network, pod_cidr="10.50.0.0/16")),
            "podCIDR is 10.42.0.0/16 and cannot become 10.50.0.0/16",
        ),
        (replace(ENV, dns=replace(ENV.dns, domain="other.local")), "spec.dns.domain"),
        (replace(ENV, kubernetes="1.37.2"), "upgrades"),
        (replace(ENV, hosts=(BOSS,)), "host h2 left the file"),
        (replace(ENV, hosts=(BOSS, replace(WORKER, address="10.0.0.99"))), "cannot move to 10.0.0.99"),
        (replace(ENV, hosts=(BOSS, replace(WORKER, roles=frozenset({"etcd"})))), "is worker and cannot become etcd"),
    ],
)
def test_what_an_environment_cannot_become(new: object, said: str) -> None:
    with pytest.raises(RefusedError) as caught:
        immutable_fields.refuse(ENV, new)  # type: ignore[arg-type]
    assert said in caught.value.why


def test_new_hosts_labels_and_upstreams_are_welcome() -> None:
    third = replace(WORKER, name="h3", address="10.0.0.13")
    new = replace(
        ENV, hosts=(replace(BOSS, labels={"a": "b"}), WORKER, third), dns=replace(ENV.dns, upstreams=("9.9.9.9",))
    )
    immutable_fields.refuse(ENV, new)


class Nobody:
    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        raise AssertionError(f"{method} {path} was not expected")


def test_every_manifest_has_a_path_in_the_api() -> None:
    kinds = Kinds(Nobody())  # every kind is known without asking
    paths = {
        kinds.find(body).path(body["metadata"].get("namespace", ""), body["metadata"]["name"])
        for body in manifests(ENV)
    }
    assert "/apis/networking.k8s.io/v1/ingressclasses/rancher" in paths
    assert "/api/v1/namespaces/kube-system/services/kube-dns" in paths
    assert "/apis/rbac.authorization.k8s.io/v1/namespaces/rancherctl-system/roles/rancherctl:agent:h2" in paths


@pytest.mark.parametrize("default", [True, False])
def test_an_ingress_without_a_class_is_ours_unless_the_file_says_otherwise(default: bool) -> None:
    environment = replace(ENV, ingress=Ingress(default_class=default))
    (body,) = [b for b in manifests(environment) if b["kind"] == "IngressClass"]
    bare = objects.ingress({"metadata": {"name": "bare", "namespace": "default"}, "spec": {}})
    assert is_rancher(bare, {"rancher": objects.ingress_class(body)}) is default


def test_an_agent_writes_its_own_lease_and_report_and_nothing_else() -> None:
    writing = {"create", "update", "patch", "delete", "deletecollection", "*"}
    roles = [
        b
        for b in manifests(ENV)
        if b["kind"] in ("Role", "ClusterRole") and b["metadata"]["name"].startswith("rancherctl:agent")
    ]
    assert len(roles) == 4
    for role in roles:
        for rule in role["rules"]:
            verbs = writing & set(rule["verbs"])
            if rule["resources"] == ["certificatesigningrequests"]:
                assert verbs == {"create"}
            elif verbs:
                host = role["metadata"]["name"].rpartition(":")[2]
                assert verbs == {"update", "patch"}
                assert rule["resourceNames"] in ([f"host-{host}"], [f"report-{host}"])
    subjects = {b["metadata"]["name"]: b["subjects"] for b in manifests(ENV) if b["kind"] == "RoleBinding"}
    assert subjects["rancherctl:agent:h2"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "rancherctl:agent:h2"}
    ]


def test_the_controller_writes_statuses_events_and_approvals_and_its_own_namespace() -> None:
    roles = {
        (b["kind"], b["metadata"].get("namespace", "")): b
        for b in manifests(ENV)
        if b["metadata"]["name"] == "rancherctl:controller" and "rules" in b
    }
    assert roles.keys() == {("ClusterRole", ""), ("Role", "rancherctl-system")}
    reading = {"get", "list", "watch"}
    written = {
        (r, v)
        for rule in roles["ClusterRole", ""]["rules"]
        for r in rule["resources"]
        for v in rule["verbs"]
        if v not in reading
    }
    assert written == {
        ("ingresses/status", "patch"),
        ("events", "create"),
        ("events", "patch"),
        ("certificatesigningrequests/approval", "update"),
        ("signers", "approve"),
    }


def test_nobody_of_ours_may_read_secrets() -> None:
    for body in manifests(ENV):
        for rule in body.get("rules", ()):
            assert "secrets" not in rule["resources"]
            assert "*" not in rule["resources"]


def test_the_api_itself_keeps_refresh_tokens_to_short_ones_that_end_with_a_session() -> None:
    policy, binding = (
        b
        for b in manifests(ENV)
        if b["kind"].startswith("ValidatingAdmissionPolicy") and b["metadata"]["name"].endswith("tokens")
    )
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    (condition,) = policy["spec"]["matchConditions"]
    who = f"system:serviceaccount:rancherctl-operators:{tokens.refresher('alice')}"
    assert who.startswith(condition["expression"].split("'")[1])
    lifetime, bound = (v["expression"] for v in policy["spec"]["validations"])
    assert lifetime == "object.spec.expirationSeconds <= 3600"
    assert "startsWith('session-' + request.name + '-')" in bound
    assert tokens.session_secret("alice", "laptop").startswith("session-alice-")


def test_what_apply_writes_on_nodes_for_the_roster_no_host_may_write_itself() -> None:
    (policy,) = (
        b
        for b in manifests(ENV)
        if b["kind"] == "ValidatingAdmissionPolicy" and b["metadata"]["name"].endswith("nodes")
    )
    text = " ".join(v["expression"] for v in policy["spec"]["validations"])
    read = {roster.PUBLIC_ADDRESS, roster.LOAD_BALANCER}
    assert [key for key in read if f"[?'{key}']" not in text] == []
    assert policy["spec"]["matchConstraints"]["resourceRules"][0]["resources"] == ["nodes", "nodes/status"]
    assert policy["spec"]["failurePolicy"] == "Ignore", "a Node that its kubelet cannot update is the worse harm"


def test_the_record_gives_the_environment_back() -> None:
    assert load(record(ENV)["data"]["environment"]).environment == ENV


def test_the_record_is_the_same_for_all_operators() -> None:
    """Paths of one operator's machine help nobody else, and would make each apply of two operators undo the other's."""

    def of(home: str) -> Environment:
        own = [
            replace(h, ssh=replace(h.ssh, identity=f"{home}/key", config=f"{home}/conf", known_hosts=f"{home}/known"))
            for h in ENV.hosts
        ]
        return replace(ENV, hosts=tuple(own))

    assert record(of("/home/ann")) == record(of("/home/bob")) == record(ENV)


def node(name: str, labels: dict[str, str], annotations: dict[str, str], ready: bool | None = True) -> Node:
    return Node(Meta("", name, labels=labels, annotations=annotations), (), (), ready, False)


def test_nodes_get_roles_labels_and_the_public_address() -> None:
    host = replace(BOSS, public_address="203.0.113.5", labels={"disk": "fast"})
    environment = replace(ENV, hosts=(host, WORKER))
    patch = nodes.change(environment, host, node("h1", {"kubernetes.io/hostname": "h1"}, {}))
    assert patch is not None
    labels = patch["metadata"]["labels"]
    assert labels["node-role.kubernetes.io/control-plane"] == ""
    assert labels["rancherctl.io/load-balancer"] == "true"
    assert labels["disk"] == "fast"
    notes = patch["metadata"]["annotations"]
    assert notes["rancherctl.io/public-address"] == "203.0.113.5"
    assert nodes.change(environment, host, node("h1", labels, notes)) is None


def test_a_label_that_left_the_file_leaves_the_node_and_foreign_labels_stay() -> None:
    before = {**nodes.labels(ENV, WORKER), "disk": "fast", "theirs": "x"}
    patch = nodes.change(
        ENV,
        WORKER,
        node("h2", before, {"rancherctl.io/labels": ",".join(sorted({*nodes.labels(ENV, WORKER), "disk"}))}),
    )
    assert patch is not None
    assert patch["metadata"]["labels"] == {"disk": None}


def test_waiting_says_which_node_is_late_and_why() -> None:
    late = replace(node("h4", {}, {}, ready=False), trouble="cni plugin not initialized")
    found = {"h1": node("h1", {}, {}), "h2": node("h2", {}, {}, ready=False), "h4": late}
    assert nodes.missing(found, frozenset({"h1", "h2", "h3", "h4"})) == {
        "h2": "not Ready",
        "h3": "its kubelet has not registered it",
        "h4": "not Ready (cni plugin not initialized)",
    }


def test_until_asks_again_only_where_a_retry_may_help() -> None:
    answers = iter([UnreachableError("no"), False, True])

    def good() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    until(good, 5.0, "the API")

    def refused() -> bool:
        raise AuthError("no")

    with pytest.raises(AuthError):
        until(refused, 5.0, "the API")
    with pytest.raises(TimeoutExceededError, match="the API is not ready"):
        until(lambda: False, 0.0, "the API")


def test_hosts_themselves_refuse_what_cannot_change_while_the_api_is_down() -> None:
    markers = {h.name: immutable_fields.marker_of(ENV, h) for h in ENV.hosts}
    immutable_fields.refuse_markers(ENV, markers)
    immutable_fields.refuse_markers(
        ENV, {"h1": {}, "h2": {"environment": "demo", "host": "h2"}}
    )  # nobody's host, and an older marker
    changed = replace(ENV, network=replace(ENV.network, service_cidr="10.99.0.0/16"))
    with pytest.raises(RefusedError, match="cannot be changed") as caught:
        immutable_fields.refuse_markers(changed, markers)
    assert caught.value.why == "h1, h2: spec.network.serviceCIDR is 10.43.0.0/16 and cannot become 10.99.0.0/16"
    moved = replace(ENV, kubernetes="1.37.2", hosts=(BOSS, replace(WORKER, roles=frozenset({"etcd", "worker"}))))
    with pytest.raises(RefusedError) as caught:
        immutable_fields.refuse_markers(moved, markers)
    assert "h1, h2: spec.kubernetes.version (upgrades are a command of their own" in caught.value.why
    assert "h2: the list of roles is worker and cannot become etcd, worker" in caught.value.why


def test_a_host_that_could_not_be_looked_at_is_unknown_in_the_plan() -> None:
    lost = World({}, {WORKER.name: UnreachableError(f"{WORKER.name}: cannot connect to 10.0.0.12:22", why="timed out")})
    planned = _planned(
        Run(ENV, Context(transport=_nobody, bundle=Bundle(Path(), manifest(ENV.kubernetes, "", "", ()))), lost)
    )
    assert planned.unknown == (Unknown("h2", "cannot connect to 10.0.0.12:22: timed out"),)


def _nobody(host: Host) -> Transport:
    raise AssertionError(f"{host.name} must not be asked")


def test_ctrl_c_ends_the_work_of_hosts_at_their_next_event() -> None:
    told: list[str] = []
    context = Context(
        transport=_nobody,
        bundle=Bundle(Path(), manifest(ENV.kubernetes, "", "", ())),
        emit=lambda event: told.append(event.message),
    )
    run = Run(ENV, context, World({}, {}))
    begun, stopping = threading.Event(), threading.Event()
    ended: list[str] = []

    def stop_everything(event: Event) -> None:
        told.append(event.message)
        stopping.set()

    run.context = replace(context, emit=stop_everything)

    def work(host: Host) -> None:
        if host is BOSS:
            assert begun.wait(60)
            raise KeyboardInterrupt
        begun.set()
        assert stopping.wait(60)
        try:
            run.emit("artefacts")(Event("upload", "next block", host.name, "progress"))
        except RancherctlError:
            ended.append(host.name)
            raise

    with pytest.raises(KeyboardInterrupt):
        run.each(next(p for p in PHASES if p.name == "artefacts"), ENV.hosts, work)
    assert ended == [WORKER.name]
    assert len(told) == 1
    assert "Ctrl-C again" in told[0]
