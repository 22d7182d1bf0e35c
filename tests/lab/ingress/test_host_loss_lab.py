"""Loss of a host that serves and runs a backend pod: power, cable, HAProxy, agent."""

import json
import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, all_hosts_take_part, curl, until
from tests.lab.traffic import IngressWatch, Traffic, failed


@pytest.fixture
def repaired(shared: Environment) -> Iterator[None]:
    """Restores power, cable and services of every host after the test."""
    yield
    for row in shared.lab.status():
        if row.state == "stopped":
            shared.lab.start(row.name)
        elif row.state == "cut":
            shared.lab.heal(row.name)
    for reach in shared.lab.hosts():
        until(
            "ssh",
            lambda h=reach.name: shared.ssh(
                h, f"chmod 755 /usr/sbin/haproxy; systemctl start {' '.join(UNITS)}; echo done"
            ),
            pause=0.5,
        )
    until("all hosts participate again", lambda: all_hosts_take_part(shared), timeout=240, pause=0.5)


UNITS = ("rancherctl-ingress.service", "rancherctl-agent.service")
LOSSES: dict[str, Callable[[Environment, str], object]] = {
    "power off": lambda env, host: env.lab.stop(host),
    "cable cut": lambda env, host: env.lab.cut(host),
    # If it were only stopped, the agent would start it again.
    "HAProxy broken": lambda env, host: env.ssh(
        host, "chmod 0 /usr/sbin/haproxy; systemctl kill -s KILL --kill-whom=all rancherctl-ingress.service"
    ),
    "HAProxy frozen": lambda env, host: env.ssh(
        host, "systemctl kill -s STOP --kill-whom=all rancherctl-ingress.service"
    ),
    "agent stopped": lambda env, host: env.ssh(host, "systemctl stop rancherctl-agent.service"),
}


SLOW = ("cable cut", "HAProxy frozen", "agent stopped")
"""In make test-all only: make test has a time limit."""


def checked_down(env: Environment, host: str, pod: str) -> bool:
    """Whether the checks of a host's HAProxy have found a pod down, without an administrative command."""
    path = "/run/rancherctl/ingress/admin.sock"
    talk = f"s.connect('{path}'); s.sendall(b'show servers state\\n'); print(s.makefile().read())"
    lines = env.ssh(host, f'python3 -c "import socket; s = socket.socket(socket.AF_UNIX); {talk}"').splitlines()
    rows = [line.split() for line in lines if f" {pod} " in line]
    forced = 1  # administrative state: set through the socket
    return bool(rows) and all(int(row[5]) == 0 and not int(row[6]) & forced for row in rows)


@pytest.mark.parametrize(
    "loss", [pytest.param(loss, marks=[pytest.mark.slow] if loss in SLOW else []) for loss in LOSSES]
)
def test_loss_of_a_serving_host(
    shared: Environment, namespace: str, repaired: None, measure: Measure, loss: str
) -> None:
    """Its address leaves the status, a replacement is published, and no request to the survivor fails.

    The backend pod on a lost host stays in the EndpointSlice for 40 s or longer: HAProxy's checks find it before that.
    """
    w.web(shared, namespace, 4, **w.spread("web"))
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="2"))
    before = w.published(shared, namespace, "web", 2)
    # Loss of the control plane is tested elsewhere.
    victim = next(a for a in before if shared.host_of(a) != "h1")
    survivor = next(a for a in before if a != victim)
    on_victim = [
        p for p in w.pods(shared, namespace, "web").values() if p["spec"]["nodeName"] == shared.host_of(victim)
    ]
    (lost,) = (p["status"]["podIP"] for p in on_victim)
    with (
        IngressWatch(shared, namespace, "web") as watch,
        Traffic(lambda: [survivor], w.host(namespace), slots=1, pause=0.02) as traffic,
    ):
        traffic.wait_for(100)
        assert len({s.answer for s in traffic.samples()}) == 4, "all backends are in use before"
        usual = statistics.median(s.seconds for s in traffic.samples())
        cut = time.monotonic()
        LOSSES[loss](shared, shared.host_of(victim))
        if loss in ("power off", "cable cut"):
            # Down, not in maintenance: the agent sets that state for endpoints that have left the slice.
            until("HAProxy finds the lost pod down", lambda: checked_down(shared, shared.host_of(survivor), lost))
            measure(f"{loss}, pod out of the survivor's HAProxy", time.monotonic() - cut, "s")
        gone = watch.wait(lambda s: victim not in s.addresses, since=cut)
        measure(f"{loss}, address out of the status", gone.at - cut, "s")
        assert gone.addresses, "the survivor stays published"
        replaced = watch.wait(lambda s: victim not in s.addresses and len(s.addresses) == 2, since=cut)
        measure(f"{loss}, replacement published", replaced.at - cut, "s")
        new = next(a for a in replaced.addresses if a != survivor)
        assert curl(new, w.host(namespace))[0] == 200, "a published address serves"
        roster = json.loads(shared.get("configmap", "roster", "-n", "rancherctl-system")["data"]["roster"])
        traffic.wait_for(100)
        samples = traffic.samples(since=cut)
    slowest = max(s.seconds for s in samples)
    measure(f"{loss}, slowest request at the survivor", slowest, "s")
    measure(f"{loss}, usual request", usual, "s")
    assert not failed(samples), failed(samples)[:5]
    # The leader finds the loss by the Leases, before Kubernetes does by its Nodes. A host whose
    # agent still runs reports that it serves nothing.
    alive = {h["name"]: h["alive"] for h in roster["hosts"]}
    assert alive == {name: name != shared.host_of(victim) or loss.startswith("HAProxy") for name in alive}
