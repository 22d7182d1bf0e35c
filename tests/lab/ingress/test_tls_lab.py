"""HTTPS on real hosts: delivery of secrets, rotation, late and deleted secrets, and who may read a key."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from tests.fakes import tls
from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, curl, until

AUTHORITY = tls.Authority()
HTTPS = 443
REFUSED = "TLSV1_UNRECOGNIZED_NAME"


@pytest.fixture(scope="module")
def web(shared: Environment, space: str) -> str:
    """A namespace with a Service ``web``."""
    w.web(shared, space, 1)
    return space


def serials(addresses: Sequence[str], host: str) -> set[int | str]:
    """What clients of each address are shown."""
    return {tls.serial(HTTPS, host, address) for address in addresses}


def pods(addresses: Sequence[str], host: str) -> list[str]:
    """What answers over HTTPS on each address."""
    return [tls.answer(HTTPS, host, address=address) for address in addresses]


def copies(env: Environment, host: str) -> list[str]:
    """Sources of the copies in a host's namespace."""
    items = env.get("secrets", "-n", f"rancherctl-host-{host}")["items"]
    return sorted(i["metadata"]["annotations"]["rancherctl.io/source"] for i in items)


def test_an_ingress_with_tls_is_served_and_rotated_on_all_its_addresses(
    shared: Environment, web: str, measure: Measure
) -> None:
    """Its certificate on every address, HTTP redirected, keys only on these hosts, a rotation without a reload."""
    host, first, second = f"tls.{w.host(web)}", *(AUTHORITY.issue(f"tls.{w.host(web)}") for _ in range(2))
    shared.apply(w.tls_secret(web, "tls", first))
    shared.apply(w.ingress(web, "tls", host, "web", scale="2", secret="tls"))
    addresses = w.published(shared, web, "tls", 2)
    assert serials(addresses, host) == {first.serial}, "published addresses have the certificate"
    assert all(pod.startswith("web-") for pod in pods(addresses, host))
    assert [curl(address, host)[0] for address in addresses] == [308, 308]
    assert {tls.serial(HTTPS, "unknown.example", address) for address in addresses} == {REFUSED}
    hosts = [shared.host_of(address) for address in addresses]
    assert {h.name for h in shared.lab.hosts() if f"{web}/tls" in copies(shared, h.name)} == set(hosts)
    workers = {h: shared.ssh(h, "pidof haproxy") for h in hosts}
    shared.apply(w.tls_secret(web, "tls", second))
    start = time.monotonic()
    until("the new certificate", lambda: serials(addresses, host) == {second.serial}, pause=0.01)
    measure("rotation of a certificate on two hosts", (time.monotonic() - start) * 1000, "ms")
    assert {h: shared.ssh(h, "pidof haproxy") for h in hosts} == workers, "no reload"
    shared.kubectl("delete", "ingress", "tls", "-n", web)
    until("the keys are gone", lambda: not any(f"{web}/tls" in copies(shared, h) for h in hosts))
    for each in hosts:
        until("no file", lambda each=each: not shared.ssh(each, "ls /var/lib/rancherctl/ingress/tls").split())


def test_a_late_secret_is_served_when_it_comes(shared: Environment, web: str) -> None:
    """Until then plain HTTP without a redirect, and the status says what is missing."""
    host = f"late.{w.host(web)}"
    shared.apply(w.ingress(web, "late", host, "web", secret="late"))
    (address,) = w.published(shared, web, "late", 1)
    assert curl(address, host)[0] == 200
    assert tls.serial(HTTPS, host, address) == REFUSED
    until("the note", lambda: f"waiting for secret {web}/late" in w.status_annotation(shared, web, "late")["message"])
    pair = AUTHORITY.issue(host)
    shared.apply(w.tls_secret(web, "late", pair))
    until("HTTPS", lambda: tls.serial(HTTPS, host, address) == pair.serial)
    until("the redirect", lambda: curl(address, host)[0] == 308)
    assert curl(address, host, "/.well-known/acme-challenge/x")[0] != 308
    until("no note", lambda: w.status_annotation(shared, web, "late")["reason"] == "Served")
    assert shared.ok("ingress", "status", "late", "-n", web)


def test_an_unusable_secret_is_reported_and_harms_no_other(shared: Environment, web: str) -> None:
    """The message is on the Ingress; a neighbour and an Ingress created later are served."""
    good, bad, later = (f"{name}.{w.host(web)}" for name in ("good", "bad", "later"))
    pairs = {name: AUTHORITY.issue(name) for name in (good, bad, later)}
    mixed = tls.Pair(pairs[bad].certificate, pairs[good].key, 0)
    for name, pair in (("good", pairs[good]), ("later", pairs[later])):
        shared.apply(w.tls_secret(web, name, pair))
    broken = w.tls_secret(web, "bad", mixed)
    shared.apply(broken)
    shared.apply(w.ingress(web, "good", good, "web", secret="good"), w.ingress(web, "bad", bad, "web", secret="bad"))
    (address,) = w.published(shared, web, "bad", 1)
    text = "the private key does not belong to the certificate"
    until("the message", lambda: text in w.status_annotation(shared, web, "bad")["message"])
    assert curl(address, bad)[0] == 200
    shared.apply(w.ingress(web, "later", later, "web", secret="later"))
    for name in (good, later):
        (address,) = w.published(shared, web, name.partition(".")[0], 1)
        until("HTTPS", lambda a=address, n=name: tls.serial(HTTPS, n, a) == pairs[n].serial)


def test_an_agent_reads_secrets_of_its_own_namespace_only(shared: Environment, web: str) -> None:
    """Neither those of tenants, nor those for another host."""

    def allowed(host: str, namespace: str) -> str:
        who = ["--as", f"rancherctl:agent:{host}", "--as-group", "rancherctl:agents"]
        try:
            return shared.kubectl("auth", "can-i", "get", "secrets", "-n", namespace, *who).strip()
        except AssertionError as error:
            return "no" if "\nno\n" in str(error) else str(error)

    assert allowed("h1", "rancherctl-host-h1") == "yes"
    assert [allowed("h1", n) for n in ("rancherctl-host-h2", web, "kube-system", "rancherctl-system")] == ["no"] * 4


def test_keys_on_a_host_are_for_its_load_balancer_only(shared: Environment, web: str) -> None:
    """Mode and group of files; no key in the state file, the log or the report."""
    host, pair = f"files.{w.host(web)}", AUTHORITY.issue(f"files.{w.host(web)}")
    shared.apply(w.tls_secret(web, "files", pair), w.ingress(web, "files", host, "web", secret="files"))
    (address,) = w.published(shared, web, "files", 1)
    on = shared.host_of(address)
    folder = "/var/lib/rancherctl/ingress/tls"
    assert shared.ssh(on, f"stat -c '%a %U %G' {folder}").strip() == "750 root rancherctl-lb"
    modes = set(shared.ssh(on, f"stat -c '%a %U %G' {folder}/*").splitlines())
    assert modes == {"640 root rancherctl-lb"}
    secret = pair.key.decode().splitlines()[1]
    where = "/var/lib/rancherctl/ingress /etc/rancherctl /run/rancherctl"
    assert shared.ssh(on, f"grep -rlF -- {secret} {where} | grep -v ^{folder}/ || true").strip() == ""
    assert secret not in shared.ssh(on, "journalctl -u 'rancherctl-*' --no-pager; ps -ef")
