"""The pod network across two subnets: VXLAN over a router that drops pod addresses."""

from collections.abc import Iterator

import pytest

from rancherctl.lab.session import running_lab
from tests.lab import workloads as w
from tests.lab.support import Environment, lab_name, make, until

NAMESPACE = "default"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """h1 (control plane, worker) in subnet A; h2 (worker) in subnet B, reached by ssh through h1."""
    name = lab_name("w")
    with running_lab(name, 2, subnets=2) as lab:
        environment = make(name, lab, tmp_path_factory.mktemp("wide"))
        environment.ok("env", "create", "-f", str(environment.file))
        yield environment


def test_pods_and_haproxy_cross_the_subnets(wide: Environment) -> None:
    """pod A → pod B and Service, host A → pod B, HAProxy on A → pod on B, each with 1 MB; names of pods both ways."""
    subnets = {h.name: h.address.rsplit(".", 1)[0] for h in wide.lab.hosts()}
    assert subnets["h1"] != subnets["h2"]
    wide.apply(w.pod(NAMESPACE, "a", "h1"), w.pod(NAMESPACE, "b", "h2"), w.service(NAMESPACE, "b"))
    wide.apply(w.ingress(NAMESPACE, "b", "wide.example.org", "b", scale="2"))
    w.ready(wide, NAMESPACE, "pod", "a", "b")
    pod, service = w.pod_ip(wide, NAMESPACE, "b"), w.cluster_ip(wide, NAMESPACE, "b")
    inside = ("exec", "-n", NAMESPACE, "a", "--", "/testweb")
    big = "body?size=1048576"
    until("pod to Service", lambda: wide.kubectl(*inside, "get", f"http://{service}/"))
    for where in (f"{pod}:8080", service, "b"):
        assert wide.kubectl(*inside, "get", "-count", f"http://{where}/{big}").strip() == "1048576", where
    assert wide.ssh("h1", f"curl -s -m 60 http://{pod}:8080/{big} | wc -c").strip() == "1048576"
    w.published(wide, NAMESPACE, "b", 2)
    for host in ("h1", "h2"):
        # Requested on the host itself: the machine has no route to subnet B.
        at = wide.lab.host(host).address
        script = f"curl -s -m 60 -H 'Host: wide.example.org' http://{at}/{big} | wc -c"
        until("through HAProxy", lambda h=host, s=script: wide.ssh(h, s).strip() == "1048576")
        dig = "dig +short +time=10 @169.254.20.10 b.default.svc.cluster.local"
        until("the name", lambda h=host, s=dig: wide.ssh(h, s).strip() == service)
    sent = wide.kubectl(*inside, "get", "-method", "POST", "-send", "1048576", f"http://{pod}:8080/")
    assert '"size":1048576' in sent.replace(" ", "")


def test_a_deleted_tunnel_device_is_repaired(wide: Environment) -> None:
    """After the VXLAN device is deleted on one host, it is created again with its neighbours and carries traffic."""
    wide.apply(w.pod(NAMESPACE, "c", "h2"))
    w.ready(wide, NAMESPACE, "pod", "c")
    pod = w.pod_ip(wide, NAMESPACE, "c")
    request = f"curl -s -m 2 -o /dev/null -w '%{{http_code}}' http://{pod}:8080/ || true"
    until("host to pod", lambda: wide.ssh("h1", request) == "200")
    wide.ssh("h1", "ip link del rctl-vxlan")
    until("host to pod again", lambda: wide.ssh("h1", request) == "200")
