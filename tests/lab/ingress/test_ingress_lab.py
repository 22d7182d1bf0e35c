"""Ingress on real hosts: kinds of backends, classes, shared names, repair, and the commands of rancherctl ingress."""

import json

import pytest

from tests.lab import workloads as w
from tests.lab.support import Environment, curl, until

pytestmark = pytest.mark.lab


def _pod(body: str) -> str:
    return str(json.loads(body)["pod"]).rsplit("-", 2)[0]


def test_every_kind_of_backend_serves_on_every_address(shared: Environment, namespace: str) -> None:
    """On every address: Exact and Prefix, headless, ExternalName, a default backend, a service without endpoints."""
    host = w.host(namespace)
    w.web(shared, namespace, 1)
    w.web(shared, namespace, 1, name="other")
    external = {
        "type": "ExternalName",
        "externalName": f"other.{namespace}.svc.cluster.local",
        "ports": [{"name": "http", "port": 80}],
    }
    shared.apply(
        w.service(namespace, "headless", "other", headless=True),
        w.service(namespace, "empty", "missing"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "external", "namespace": namespace},
            "spec": external,
        },
    )
    wanted = w.ingress(namespace, "kinds", host, "web", scale="2", path="/web")
    paths = wanted["spec"]["rules"][0]["http"]["paths"]
    for path, kind, backend in (
        ("/web/exact", "Exact", "other"),
        ("/headless", "Prefix", "headless"),
        ("/external", "Prefix", "external"),
        ("/empty", "Prefix", "empty"),
    ):
        paths.append(
            {"path": path, "pathType": kind, "backend": {"service": {"name": backend, "port": {"name": "http"}}}}
        )
    wanted["spec"]["defaultBackend"] = {"service": {"name": "other", "port": {"number": 80}}}
    shared.apply(wanted)
    for address in w.published(shared, namespace, "kinds", 2):
        expected = {
            "/web": "web",
            "/web/x": "web",
            "/web/exact": "other",
            "/web/exact/x": "web",
            "/headless": "other",
            "/webs": "other",
            "/external": "other",
        }
        for path, name in expected.items():
            # Names of ExternalName services are resolved after the first load, not before it.
            until(
                f"{path} at {address}",
                lambda p=path, a=address, n=name: (r := curl(a, host, p))[0] == 200 and _pod(r[1]) == n,
            )
        assert curl(address, host, "/empty")[0] == 503


def test_a_class_change_withdraws_the_ingress_and_the_change_back_restores_it(
    shared: Environment, namespace: str
) -> None:
    host = w.host(namespace)
    w.web(shared, namespace, 1)
    shared.apply(w.ingress(namespace, "web", host, "web", scale="2"))
    addresses = w.published(shared, namespace, "web", 2)
    shared.kubectl(
        "patch", "ingress", "web", "-n", namespace, "--type=merge", "-p", '{"spec":{"ingressClassName":"nginx"}}'
    )
    until("no addresses", lambda: not shared.addresses("web", namespace))
    until("no annotation", lambda: w.status_annotation(shared, namespace, "web") == {})
    for address in addresses:
        until(f"{address} no longer serves it", lambda a=address: curl(a, host)[0] in {0, 404})
    shared.kubectl(
        "patch", "ingress", "web", "-n", namespace, "--type=merge", "-p", '{"spec":{"ingressClassName":"rancher"}}'
    )
    assert w.published(shared, namespace, "web", 2) == addresses


def test_addresses_of_one_name_serve_all_its_rules(shared: Environment, namespace: str) -> None:
    """Six Ingresses share a name, a wildcard covers it: every published address answers for every path."""
    host = w.host(namespace)
    w.web(shared, namespace, 1)
    w.web(shared, namespace, 1, name="wild")
    shared.apply(*(w.ingress(namespace, f"part{n}", host, "web", path=f"/part{n}") for n in range(6)))
    shared.apply(w.ingress(namespace, "wild", f"*.{host.partition('.')[2]}", "wild"))
    published = {address for n in range(6) for address in w.published(shared, namespace, f"part{n}", 1)}
    wild = w.published(shared, namespace, "wild", 1)
    for address in published | set(wild):
        for n in range(6):
            status, body = curl(address, host, f"/part{n}/x")
            assert (status, status == 200 and _pod(body)) == (200, "web"), (address, n)
        assert curl(address, host, "/nothing")[0] == 404, "a wildcard never answers for a precise name"
    status, body = curl(wild[0], f"x{host}", "/anything")
    assert (status, _pod(body)) == (200, "wild")


def test_damage_on_a_host_is_repaired(shared: Environment, namespace: str) -> None:
    """Emptied maps in the running HAProxy, overwritten files, a destroyed agent state: repaired within seconds."""
    host = w.host(namespace)
    w.web(shared, namespace, 1)
    shared.apply(w.ingress(namespace, "web", host, "web"))
    (address,) = w.published(shared, namespace, "web", 1)
    victim = shared.host_of(address)
    socket = "/run/rancherctl/ingress/admin.sock"
    command = "clear map /var/lib/rancherctl/ingress/prefix.map"
    talk = f"s.connect('{socket}'); s.sendall(b'{command}\\n'); s.recv(99)"
    began = shared.ssh(victim, "date +%s").strip()
    shared.ssh(victim, f'python3 -c "import socket; s = socket.socket(socket.AF_UNIX); {talk}"')
    # The agent may repair it before a request can show the damage, so its log is read.
    read_log = f"journalctl -q -u rancherctl-agent -o cat --since=@{began}"
    until(
        "the agent finds the running maps damaged",
        lambda: "reloading HAProxy, its state differs" in shared.ssh(victim, read_log),
    )
    until("the running maps are repaired", lambda: curl(address, host)[0] == 200)
    shared.ssh(
        victim,
        "cd /var/lib/rancherctl/ingress && truncate -s 0 prefix.map"
        " && head -c 100 /dev/urandom > haproxy.cfg && echo broken > state.json",
    )
    until("the files are repaired", lambda: host in shared.ssh(victim, "cat /var/lib/rancherctl/ingress/prefix.map"))
    until(
        "the state is repaired", lambda: namespace in shared.ssh(victim, "cat /var/lib/rancherctl/ingress/state.json")
    )
    shared.ssh(
        victim,
        "echo broken > /var/lib/rancherctl/ingress/state.json; systemctl restart rancherctl-agent rancherctl-ingress",
    )
    until("served after a restart of both", lambda: curl(address, host)[0] == 200)
    until(
        "the state file is written again",
        lambda: namespace in shared.ssh(victim, "cat /var/lib/rancherctl/ingress/state.json"),
    )


def test_ingress_commands_agree_with_the_api_and_the_hosts(shared: Environment, namespace: str) -> None:
    host = w.host(namespace)
    w.web(shared, namespace, 1)
    shared.apply(w.ingress(namespace, "web", host, "web", scale="2"))
    addresses = w.published(shared, namespace, "web", 2)
    key = f"{namespace}/web"
    (row,) = json.loads(shared.ok("ingress", "ls", "-n", namespace, "--env", shared.name, "-o", "json"))["items"]
    assert (row["addresses"], row["wanted"], row["reason"]) == (addresses, 2, "Served")
    assert f"{host}/ (prefix) → {namespace}/web:http" in shared.ok("ingress", "show", key, "--env", shared.name)
    planned = json.loads(shared.ok("ingress", "plan", key, "--scale", "3", "--env", shared.name, "-o", "json"))["items"]
    assert sorted(r["address"] for r in planned if r["chosen"] and not r["change"]) == sorted(addresses)
    added = [r["address"] for r in planned if r["change"] == "add"]
    shared.ok("ingress", "scale", key, "3", "--wait", "--env", shared.name)
    assert set(shared.addresses("web", namespace)) == {*addresses, *added}
    probes = json.loads(shared.ok("ingress", "status", key, "--env", shared.name, "-o", "json"))["items"]
    assert [p["ok"] for p in probes] == [True] * 3
    refused = shared.rancherctl("ingress", "scale", key, "99", "--wait", "--env", shared.name)
    assert refused.returncode == 1
    assert "99 instances requested, 4 eligible hosts; placed on all of them" in refused.stderr
    shared.kubectl("delete", "service", "web", "-n", namespace)
    until(
        "a missing service is reported",
        lambda: w.status_annotation(shared, namespace, "web").get("reason") == "ServiceNotFound",
    )
    done = shared.rancherctl("ingress", "status", key, "--env", shared.name, "-o", "json")
    problem, *unknown = json.loads(done.stdout)["items"]
    assert (done.returncode, problem["ok"], problem["result"].partition(":")[0]) == (6, False, "ServiceNotFound")
    assert {p["ok"] for p in unknown} == {None}, "nothing is known about a backend that is not there"
