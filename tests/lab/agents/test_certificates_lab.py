"""Certificates near their end are renewed on the hosts without an operator, a restart or an apply."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from rancherctl.environments.components import places
from rancherctl.environments.inventory import load
from rancherctl.environments.pki import authority
from rancherctl.environments.pki.authority import KeyPair
from rancherctl.environments.pki.leaves import Leaf, leaves
from rancherctl.hosts.command import Secret
from tests.lab.support import Environment, until

pytestmark = pytest.mark.slow
JOB = "rancherctl-certificates.service"
UNITS = [
    f"rancherctl-{name}.service"
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "controller", "kube-proxy")
]


def age(env: Environment, host: str, wanted: Iterable[Leaf], left: timedelta) -> None:
    """Replace a host's certificates by ones that began 300 days ago and have ``left`` left; keys stay."""
    now, script = datetime.now(UTC), []
    for leaf in wanted:
        ca = KeyPair(*(Secret(env.ssh("h1", f"cat {places.PKI}/{leaf.authority}.{kind}")) for kind in ("crt", "key")))
        request = env.ssh(host, f"openssl req -new -key {leaf.key} -subj /CN=request")
        pem = authority.sign(leaf, request, ca, now - timedelta(days=300), valid=timedelta(days=300) + left)
        script.append(f"cat > {leaf.crt}.aged <<'END'\n{pem}END\nmv {leaf.crt}.aged {leaf.crt}")
    env.ssh(host, "\n".join(script))


def days(env: Environment, host: str, crt: str) -> float:
    """Days until the certificate in a host's file expires."""
    return remaining(env.ssh(host, f"openssl x509 -noout -enddate -in {crt}"))


def served(env: Environment, port: int) -> float:
    """Days until the certificate that a port of h1 serves expires."""
    mine = f"-cert {places.crt('apiserver-etcd-client')} -key {places.key('apiserver-etcd-client')}"
    return remaining(
        env.ssh(
            "h1",
            f"openssl s_client -connect 127.0.0.1:{port} {mine} </dev/null 2>/dev/null | openssl x509 -noout -enddate",
        )
    )


def remaining(enddate: str) -> float:
    text = enddate.strip().removeprefix("notAfter=")
    return (datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC) - datetime.now(UTC)) / timedelta(
        days=1
    )


def own(env: Environment, host: str) -> list[Leaf]:
    wanted = load(env.file.read_text()).environment
    found = wanted.host(host)
    assert found is not None
    return [leaf for leaf in leaves(wanted, found) if not leaf.self_renewed]


def starts(env: Environment) -> str:
    return env.ssh("h1", f"systemctl show -p Id,ExecMainStartTimestampMonotonic {' '.join(UNITS)}")


def test_the_timer_is_armed_on_control_plane_hosts_only(shared: Environment) -> None:
    assert shared.ssh(
        "h1", "systemctl is-enabled rancherctl-certificates.timer; systemctl is-active rancherctl-certificates.timer"
    ).split() == [
        "enabled",
        "active",
    ]
    assert "rancherctl-certificates" in shared.ssh("h1", "systemctl list-timers --all --no-legend")
    assert shared.ssh("h2", "ls /etc/systemd/system/ /etc/rancherctl | grep certificates || true").strip() == ""


def test_leaves_near_their_end_are_renewed_and_served_without_a_restart(shared: Environment) -> None:
    before = starts(shared)
    age(shared, "h1", own(shared, "h1"), timedelta(days=20))
    until("etcd serves the aged certificate", lambda: served(shared, 2379) < 21)
    until("the API server serves the aged certificate", lambda: served(shared, 6443) < 21)
    status = json.loads(shared.rancherctl("env", "status", shared.name, "-o", "json").stdout)
    assert "certificate apiserver has 20 days left" in json.dumps(status)
    shared.ssh("h1", f"systemctl start {JOB}")
    for leaf in own(shared, "h1"):
        assert days(shared, "h1", leaf.crt) > 80, leaf.name
        assert shared.ssh("h1", f"stat -c %a:%U:%G {leaf.crt}").strip() == "644:root:root"
    until("etcd serves the new certificate", lambda: served(shared, 2379) > 360)
    until("the API server serves the new certificate", lambda: served(shared, 6443) > 360)
    assert starts(shared) == before
    shared.ok("env", "status", shared.name)
    planned = shared.ok("env", "plan", "-f", str(shared.file))
    assert "nothing to do" in planned
    assert "certificate" not in planned
    assert "restart" not in planned


def test_a_foreign_certificate_stays_and_the_failed_job_shows_in_status(shared: Environment) -> None:
    path = places.crt("front-proxy-client")
    good = shared.ssh("h1", f"cat {path}; cp -p {path} /root/good.crt")
    try:
        key = places.key("front-proxy-client")
        shared.ssh("h1", f"openssl req -x509 -new -key {key} -subj /CN=front-proxy-client -days 3 -out {path}")
        foreign = shared.ssh("h1", f"cat {path}")
        assert shared.ssh("h1", f"systemctl start {JOB} 2>/dev/null; echo $?").strip() == "1"
        assert shared.ssh("h1", f"cat {path}") == foreign
        assert "front-proxy-client.crt was not signed by" in shared.ssh("h1", f"journalctl -u {JOB} -n 30 -o cat")
        status = json.loads(shared.rancherctl("env", "status", shared.name, "-o", "json").stdout)
        assert status["state"] == "degraded"
        assert [
            line
            for line in status["problems"]
            if "rancherctl-certificates failed: certificates are not renewed here" in line
        ]
    finally:
        shared.ssh("h1", f"mv /root/good.crt {path}")
    assert shared.ssh("h1", f"cat {path}") == good
    shared.ssh("h1", f"systemctl start {JOB}")
    shared.ok("env", "status", shared.name)


def test_a_workers_kube_proxy_is_renewed_through_the_api(shared: Environment) -> None:
    proxy = next(leaf for leaf in own(shared, "h2") if leaf.name == "kube-proxy")
    key = shared.ssh("h2", f"sha256sum {proxy.key}")
    # The agent checks when it starts, so the renewal below is made by this process.
    shared.ssh("h2", "systemctl stop rancherctl-agent")
    try:
        age(shared, "h2", [proxy], timedelta(days=20))
        assert days(shared, "h2", proxy.crt) < 21
    finally:
        shared.ssh("h2", "systemctl start rancherctl-agent")
    until("kube-proxy has a new certificate", lambda: days(shared, "h2", proxy.crt) > 80, pause=1.0)
    assert shared.ssh("h2", f"sha256sum {proxy.key}") == key
    assert (
        shared.ssh("h2", f"openssl x509 -noout -subject -nameopt RFC2253 -in {proxy.crt}").strip()
        == "subject=CN=system:kube-proxy"
    )
    shared.ssh("h2", "systemctl restart rancherctl-kube-proxy")
    until("kube-proxy works with it", lambda: shared.ssh("h2", "curl -sf http://127.0.0.1:10256/healthz || true"))
    assert "certificate" not in shared.ok("env", "plan", "-f", str(shared.file))
