"""Secrets of tenants: a certificate that an ACME client fetches over HTTP, and which hosts may read which secret."""

from __future__ import annotations

import json

from tests.fakes import tls
from tests.lab import workloads as w
from tests.lab.support import Environment, curl, until

AUTHORITY = tls.Authority()
HTTPS = 443


def pod(answer: tuple[int, str]) -> str:
    """The name of the workload that answered, or the status."""
    status, body = answer
    return str(json.loads(body)["pod"]).rsplit("-", 2)[0] if status == 200 else str(status)


def test_a_challenge_over_http_is_answered_on_every_address_before_the_certificate_exists(
    shared: Environment, namespace: str
) -> None:
    """As cert-manager does it: a second Ingress for the same host, with a Service of its own, until it has the secret.

    The authority asks any of the published addresses, also those where only the first Ingress is placed.
    """
    host, path = w.host(namespace), "/.well-known/acme-challenge/token-1"
    w.web(shared, namespace, 1)
    w.web(shared, namespace, 1, name="solver")
    shared.apply(w.ingress(namespace, "web", host, "web", scale="3", secret="issued"))
    addresses = w.published(shared, namespace, "web", 3)
    solver = w.ingress(namespace, "cm-acme-http-solver", host, "solver", path=path, path_type="ImplementationSpecific")
    shared.apply(solver)
    w.published(shared, namespace, "cm-acme-http-solver", 1)
    for address in addresses:
        until("the solver's answer", lambda a=address: pod(curl(a, host, path)) == "solver")
        assert pod(curl(address, host)) == "web", "no redirect without a certificate"
    pair = AUTHORITY.issue(host)
    shared.apply(w.tls_secret(namespace, "issued", pair))
    for address in addresses:
        until("HTTPS", lambda a=address: tls.serial(HTTPS, host, a) == pair.serial)
        until("the redirect", lambda a=address: pod(curl(a, host)) == "308")
        assert pod(curl(address, host, path)) == "solver", "the next renewal needs it again"
    shared.kubectl("delete", "ingress", "cm-acme-http-solver", "-n", namespace)
    for address in addresses:
        until("the rule is gone", lambda a=address: pod(curl(a, host, path)) == "web")


def status_of(env: Environment, host: str, path: str) -> str:
    """The status of a GET that a host sends to the API with the certificate of its agent."""
    pki = "/etc/rancherctl/pki"
    own = f"--cacert {pki}/ca.crt --cert {pki}/agent.crt --key {pki}/agent.key"
    return env.ssh(host, f"curl -s -m 30 -o /dev/null -w '%{{http_code}}' {own} https://127.0.0.1:7443/api/v1{path}")


def having(env: Environment, source: str) -> set[str]:
    """The hosts in whose namespace there is a copy of a secret."""
    found = set()
    for host in env.lab.hosts():
        items = env.get("secrets", "-n", f"rancherctl-host-{host.name}")["items"]
        if any(i["metadata"]["annotations"]["rancherctl.io/source"] == source for i in items):
            found.add(host.name)
    return found


def test_a_host_reads_copies_of_what_is_placed_on_it_and_no_secret_of_a_tenant(
    shared: Environment, namespace: str
) -> None:
    """Real requests with the agents' certificates. Copies follow the placement."""
    w.web(shared, namespace, 1)
    shared.apply(w.tls_secret(namespace, "mine", AUTHORITY.issue(w.host(namespace))))
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="2", secret="mine"))
    both = {shared.host_of(a) for a in w.published(shared, namespace, "web", 2)}
    assert having(shared, f"{namespace}/mine") == both
    for host in (h.name for h in shared.lab.hosts()):
        other = next(h.name for h in shared.lab.hosts() if h.name != host)
        asked = [f"/namespaces/rancherctl-host-{name}/secrets" for name in (host, other)]
        asked += [f"/namespaces/{namespace}/secrets/mine", f"/namespaces/{namespace}/secrets", "/secrets"]
        assert [status_of(shared, host, path) for path in asked] == ["200", "403", "403", "403", "403"], host
    shared.kubectl("annotate", "ingress", "web", "-n", namespace, "scale=1", "--overwrite")
    left = {shared.host_of(a) for a in w.published(shared, namespace, "web", 1)}
    until("the copy of the other host is gone", lambda: having(shared, f"{namespace}/mine") == left)
