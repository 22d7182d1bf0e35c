"""Configuration texts: hardened defaults, what the machine decides, and that no secret is in them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import Any, cast

import pytest

from rancherctl.environments.components import (
    apiserver,
    audit,
    balancer,
    containerd,
    etcd,
    kube_proxy,
    kubelet,
    managers,
    node_images,
    places,
    units,
)
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.inventory import from_flags
from rancherctl.hosts.model import Directory, File, Package, Unit, User

ENV = from_flags("demo", ["root@10.0.0.11=etcd,controlplane", "root@10.0.0.12", "root@10.0.0.13"]).environment
CONTROL, WORKER = ENV.hosts[0], ENV.hosts[1]
V1 = MachineFacts(cgroup_v2=False, may_lower_oom=False)
ALL = (
    *etcd.resources(ENV, CONTROL),
    *apiserver.resources(ENV, CONTROL),
    *managers.resources(ENV),
    *managers.scheduler_resources(ENV),
    *balancer.resources(ENV),
    *containerd.resources(ENV, V1),
    *kubelet.resources(ENV, CONTROL, V1),
    *kube_proxy.resources(ENV, CONTROL),
)


def test_the_api_server_is_hardened() -> None:
    flags = apiserver.flags(ENV, CONTROL)
    assert flags["authorization-mode"] == "Node,RBAC"
    # an external IP of a Service would redirect that address on every host, even the API's own
    assert flags["enable-admission-plugins"].split(",") == ["NodeRestriction", "DenyServiceExternalIPs"]
    assert flags["tls-min-version"] == "VersionTLS12"
    assert flags["encryption-provider-config"] == places.ENCRYPTION
    assert flags["profiling"] == "false"
    assert (
        "anonymous-auth" not in flags
    )  # the authentication configuration restricts anonymous requests; both together are refused
    authentication: Any = apiserver.authentication()
    paths = [c["path"] for c in authentication["anonymous"]["conditions"]]
    assert paths == ["/livez", "/readyz", "/healthz"]


def level(user: str, groups: tuple[str, ...], verb: str, resource: str, group: str = "") -> str:
    """What the audit policy says about a request, as the API server reads it: the first rule that matches counts."""
    for rule in cast("list[dict[str, Any]]", audit.policy()["rules"]):
        if "nonResourceURLs" in rule or ("verbs" in rule and verb not in rule["verbs"]):
            continue
        if ("users" in rule and user not in rule["users"]) or (
            "userGroups" in rule and not set(rule["userGroups"]) & set(groups)
        ):
            continue
        if "resources" in rule and not any(
            r["group"] == group and resource in r["resources"] for r in rule["resources"]
        ):
            continue
        return str(rule["level"])
    return "None"


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ("system:node:h1", ("system:nodes",)),
        ("rancherctl:agent:h1", ("rancherctl:agents",)),
        ("rancherctl:controller", ()),
        ("system:kube-controller-manager", ()),
        ("system:serviceaccount:default:someone", ("system:serviceaccounts",)),
    ],
)
def test_every_access_to_a_secret_is_in_the_audit_log(user: str, groups: tuple[str, ...]) -> None:
    """Also with credentials of hosts: stolen ones must leave a trace. Contents are never logged."""
    for verb in ("get", "list", "watch", "create", "update", "patch", "delete"):
        assert level(user, groups, verb, "secrets") == "Metadata"
    assert level(user, groups, "create", "serviceaccounts/token") == "Metadata"
    assert level(user, groups, "create", "tokenreviews", "authentication.k8s.io") == "Metadata"
    assert level(user, groups, "create", "certificatesigningrequests", "certificates.k8s.io") == "Metadata"


def test_the_api_server_may_write_to_an_existing_audit_log() -> None:
    """A removed environment left it to root."""
    flags = apiserver.flags(ENV, CONTROL)
    (folder,) = (
        r for r in apiserver.resources(ENV, CONTROL) if isinstance(r, Directory) and r.path == apiserver.AUDIT_LOGS
    )
    assert [f"{folder.path}/{name}" for name in folder.written] == [flags["audit-log-path"]]
    assert folder.owner == apiserver.OWNER


def test_routine_reads_of_daemons_are_not_in_the_audit_log() -> None:
    assert level("system:node:h1", ("system:nodes",), "watch", "pods") == "None"
    assert level("system:node:h1", ("system:nodes",), "watch", "configmaps") == "None"
    assert level("rancherctl:controller", (), "list", "certificatesigningrequests", "certificates.k8s.io") == "None"
    assert level("system:node:h1", ("system:nodes",), "update", "leases", "coordination.k8s.io") == "None"
    assert level("rancherctl:agent:h1", ("rancherctl:agents",), "patch", "configmaps") == "Metadata"
    assert level("someone", (), "create", "pods") == "Request"


def test_etcd_requires_certificates_of_clients_and_peers() -> None:
    config: Any = etcd.config(ENV, CONTROL)
    for part in ("client-transport-security", "peer-transport-security"):
        assert config[part]["client-cert-auth"] is True
    assert config["initial-cluster"] == "h1=https://10.0.0.11:2380"
    assert config["listen-metrics-urls"].startswith("http://127.0.0.1:")
    assert etcd.endpoints(ENV, WORKER) == ["https://10.0.0.11:2379"]


@pytest.mark.parametrize(
    ("machine", "driver", "systemd", "restrict"),
    [(V1, "cgroupfs", False, True), (MachineFacts(), "systemd", True, False)],
)
def test_cgroup_driver_and_oom_scores_follow_from_the_machine(
    machine: MachineFacts, driver: str, systemd: bool, restrict: bool
) -> None:
    config = kubelet.config(ENV, WORKER, machine)
    assert config["cgroupDriver"] == driver
    assert config["failCgroupV1"] is False
    runtime = tomllib.loads(containerd.config(ENV, machine))["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is restrict
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is systemd


def test_kubelets_refuse_anonymous_requests_and_authorize_all_others_with_the_api() -> None:
    config: Any = kubelet.config(ENV, WORKER, MachineFacts())
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["readOnlyPort"] == 0
    assert config["serverTLSBootstrap"] is config["rotateCertificates"] is True
    assert config["clusterDNS"] == ["169.254.20.10"]


def test_hosts_without_the_worker_role_are_tainted() -> None:
    assert kubelet.taints(WORKER) == []
    assert kubelet.taints(CONTROL) == [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


def test_conntrack_settings_of_the_host_are_not_changed() -> None:
    config: Any = kube_proxy.config(ENV, WORKER)
    assert config["mode"] == "nftables"
    assert set(config["conntrack"].values()) == {0, "0s"}


def test_kube_proxy_updates_rules_without_its_default_pause() -> None:
    """It replaces 0 with a second: the address of a new Service would be programmed that much later."""
    config: Any = kube_proxy.config(ENV, WORKER)
    pause = config["nftables"]["minSyncPeriod"]
    number, unit = pause.removesuffix("ms"), pause.lstrip("0123456789")
    assert unit == "ms"
    assert 0 < int(number) <= 100


def test_the_balancer_checks_every_api_server_and_cuts_dead_sessions() -> None:
    text = balancer.config(ENV)
    assert "bind 127.0.0.1:7443" in text
    assert "server h1 10.0.0.11:6443" in text
    assert "on-marked-down shutdown-sessions" in text
    assert "verify required" in text


def test_the_only_api_server_is_not_marked_down_for_being_busy() -> None:
    several = replace(ENV, hosts=tuple(replace(CONTROL, name=f"h{n}", address=f"10.0.0.{n}") for n in (11, 12, 13)))
    assert " fall 5 " in balancer.config(ENV)
    assert " fall 2 " in balancer.config(several)


def test_no_file_holds_a_secret_and_kubeconfigs_are_readable_by_their_owner_only() -> None:
    files = [r for r in ALL if isinstance(r, File)]
    assert not [
        f.path
        for f in files
        if b"PRIVATE KEY" in f.content or (b"-data" in f.content and f.path.endswith("kubeconfig"))
    ]
    for file in files:
        if file.path.endswith(".kubeconfig"):
            assert file.mode == 0o600
            user = json.loads(file.content)["users"][0]["user"]
            assert sorted(user) == ["client-certificate", "client-key"]


def test_every_unit_has_its_text_and_restarts_when_it_changes() -> None:
    files = {r.path for r in ALL if isinstance(r, File)}
    running = [r for r in ALL if isinstance(r, Unit)]
    assert len(running) == 8
    for unit in running:
        assert f"/etc/systemd/system/{unit.name}" in files
        assert f"/etc/systemd/system/{unit.name}" in unit.restart_on


def test_a_unit_restarts_if_its_program_is_another_build_of_the_same_version() -> None:
    """Else a bundle made in another way would be on the host, and not run."""
    programs = {
        r.name: [path for path in r.restart_on if path.startswith("/opt/rancherctl/")]
        for r in ALL
        if isinstance(r, Unit)
    }
    assert programs.pop("rancherctl-api-balancer.service") == [], (
        "updates of the distribution's packages are left to the distribution"
    )
    for name, paths in programs.items():
        assert [path.rpartition("/")[2] for path in paths] == [
            name.removeprefix("rancherctl-").removesuffix(".service")
        ]


def test_control_plane_daemons_do_not_run_as_root() -> None:
    users = {r.name for r in ALL if isinstance(r, User)}
    assert users == {"rancherctl-etcd", "rancherctl-kube"}
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        text = next(r.content.decode() for r in ALL if isinstance(r, File) and r.path == places.unit_file(name))
        assert "\nUser=rancherctl-" in text
        assert "\nCapabilityBoundingSet=\n" in text
        assert "\nNoNewPrivileges=yes\n" in text


def test_distribution_daemons_are_masked_before_they_are_installed() -> None:
    masks = {r.name: r.mask for r in ALL if isinstance(r, Package)}
    assert masks["haproxy"] == ("haproxy.service",)
    assert set(masks) == {"haproxy", "runc", "nftables", "conntrack"}


def test_folders_of_daemons_belong_to_their_users() -> None:
    owners = {r.path: (r.owner, r.mode) for r in ALL if isinstance(r, Directory)}
    assert owners[etcd.DATA] == ("rancherctl-etcd:rancherctl-etcd", 0o700)


def test_one_unit_imports_all_images() -> None:
    assert node_images.resources(ENV, []) == ()
    file = node_images.resources(ENV, ["/opt/b.tar", "/opt/a.tar"])[0]
    assert isinstance(file, File)
    lines = [line for line in file.content.decode().splitlines() if line.startswith("ExecStart=")]
    assert [line.rpartition(" ")[2] for line in lines] == ["/opt/a.tar", "/opt/b.tar"]
    assert "Restart=on-failure" in file.content.decode()


def test_a_unit_has_each_argument_on_its_line() -> None:
    text = units.text(units.ServiceUnit("x", "X", ("/bin/x", "--a=1", "--b=2"), writable=("/var/lib/x",)))
    assert "ExecStart=/bin/x \\\n  --a=1 \\\n  --b=2\n" in text
    assert "ReadWritePaths=/var/lib/x\n" in text
