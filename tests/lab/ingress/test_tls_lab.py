"""HTTPS on real hosts: delivery of secrets, rotation, late and deleted secrets, and who may read a key."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from tests.fakes import mtls, tls
from tests.fakes.tls_stream import TlsClients
from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, curl, until

AUTHORITY = tls.Authority()
HTTPS = 443
REFUSED = "TLSV1_UNRECOGNIZED_NAME"
FOLDER = "/var/lib/rancherctl/ingress/tls"


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
        until("no file", lambda each=each: not shared.ssh(each, f"ls {FOLDER}").split())


def test_rotations_under_load_fail_no_request(shared: Environment, web: str, measure: Measure) -> None:
    """HTTP/1.1 and HTTP/2 at a bounded rate while a certificate is replaced again and again; no reload."""
    host = f"rotated.{w.host(web)}"
    shared.apply(w.tls_secret(web, "rotated", AUTHORITY.issue(host)))
    shared.apply(w.ingress(web, "rotated", host, "web", scale="2", secret="rotated"))
    addresses = w.published(shared, web, "rotated", 2)
    hosts = [shared.host_of(address) for address in addresses]
    workers = {h: shared.ssh(h, "pidof haproxy") for h in hosts}
    taken = []
    with TlsClients(addresses, host) as clients:
        clients.wait_for(50)
        for _ in range(10):
            pair = AUTHORITY.issue(host)
            shared.apply(w.tls_secret(web, "rotated", pair))
            start = time.monotonic()
            until("the new certificate", lambda p=pair: serials(addresses, host) == {p.serial}, pause=0.01)
            taken.append((time.monotonic() - start) * 1000)
            clients.wait_for(20)
    assert clients.bad == []
    assert {h: shared.ssh(h, "pidof haproxy") for h in hosts} == workers, "no reload"
    measure("rotation under load on two hosts, median of 10", statistics.median(taken), "ms")
    measure("rotation under load on two hosts, slowest of 10", max(taken), "ms")


def test_an_ingress_on_other_ports_leaves_a_host_where_one_of_them_is_taken(shared: Environment, web: str) -> None:
    """Served on its ports on two addresses and not on 80 and 443; neighbours stay where the port is taken."""
    host, pair = f"ports.{w.host(web)}", AUTHORITY.issue(f"ports.{w.host(web)}")
    neighbour, closed = f"near.{w.host(web)}", f"closed.{w.host(web)}"
    other = AUTHORITY.issue(neighbour, closed)
    shared.apply(w.tls_secret(web, "ports", pair), w.tls_secret(web, "other", other))
    shared.apply(w.ingress(web, "near", neighbour, "web", scale="100", secret="other"))
    no_plain = {"allow.http": "false"}
    shared.apply(w.ingress(web, "closed", closed, "web", scale="100", annotations=no_plain, secret="other"))
    shared.apply(w.ingress(web, "ports", host, "web", scale="2", secret="ports"))
    key = f"{web}/ports"

    def planned() -> list[dict[str, Any]]:
        return list(json.loads(shared.ok("ingress", "plan", key, "--env", shared.name, "-o", "json"))["items"])

    usual = w.published(shared, web, "ports", 2)
    taken = planned()[0]
    assert taken["address"] in usual
    shared.ssh(taken["host"], "systemd-run -q --collect --unit taken python3 -m http.server 8443")
    try:
        until("the other program", lambda: "8443" in shared.ssh(taken["host"], "ss -Hltn 'sport = 8443'"))
        shared.kubectl("annotate", "ingress", "ports", "-n", web, "http.port=8080", "https.port=8443")
        until("another host", lambda: len(a := shared.addresses("ports", web)) == 2 and taken["address"] not in a)
        addresses = shared.addresses("ports", web)
        for address in addresses:
            until("HTTPS", lambda a=address: tls.serial(8443, host, a) == pair.serial)
            assert tls.answer(8443, host, address=address).startswith("web-")
            assert curl(address, host, port=8080)[0] == 308
            assert curl(address, host)[0] == 404
            assert tls.serial(HTTPS, host, address) == REFUSED
        entries = shared.get("ingress", "ports", "-n", web)["status"]["loadBalancer"]["ingress"]
        assert [[port["port"] for port in e["ports"]] for e in entries] == [[8080, 8443]] * 2
        assert "port 8443 is not available" in planned()[0]["why"]
        assert taken["address"] in shared.addresses("near", web)
        for name, plain in ((neighbour, 308), (closed, 404)):
            until("HTTPS", lambda n=name: tls.serial(HTTPS, n, taken["address"]) == other.serial)
            assert tls.answer(HTTPS, name, address=taken["address"]).startswith("web-")
            until("plain HTTP", lambda n=name, p=plain: curl(taken["address"], n)[0] == p)
        assert shared.ok("ingress", "status", "ports", "-n", web, "--env", shared.name)
    finally:
        shared.ssh(taken["host"], "systemctl stop taken")
    until("it returns", lambda: taken["address"] in shared.addresses("ports", web))
    assert tls.answer(8443, host, address=taken["address"]).startswith("web-")
    shared.kubectl("annotate", "ingress", "ports", "-n", web, "http.port=10250", "--overwrite")
    text = "port 10250 is reserved for Kubernetes; it is not served over HTTP"
    until("the message", lambda: text in w.status_annotation(shared, web, "ports")["message"])
    assert tls.answer(8443, host, address=taken["address"]).startswith("web-")
    shared.kubectl("delete", "ingress", "ports", "near", "closed", "-n", web)


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
    """Mode and group of files; the API balancer's user cannot read them; no key in other files, logs or the report."""
    host, pair = f"files.{w.host(web)}", AUTHORITY.issue(f"files.{w.host(web)}")
    shared.apply(w.tls_secret(web, "files", pair), w.ingress(web, "files", host, "web", secret="files"))
    (address,) = w.published(shared, web, "files", 1)
    on = shared.host_of(address)
    assert shared.ssh(on, f"stat -c '%a %U %G' {FOLDER}").strip() == "750 root rancherctl-lb"
    modes = set(shared.ssh(on, f"stat -c '%a %U %G' {FOLDER}/*").splitlines())
    assert modes == {"640 root rancherctl-lb"}
    refused = shared.ssh(on, f"for f in {FOLDER}/*; do runuser -u haproxy -- cat $f 2>&1 >/dev/null || true; done")
    assert {line.rpartition(": ")[2] for line in refused.splitlines()} == {"Permission denied"}
    assert shared.ssh(on, f"runuser -u rancherctl-lb -- cat $(ls -d {FOLDER}/* | head -n 1)").startswith("-----")
    secret = pair.key.decode().splitlines()[1]
    where = "/var/lib/rancherctl/ingress /etc/rancherctl /run/rancherctl"
    assert shared.ssh(on, f"grep -rlF -- {secret} {where} | grep -v ^{FOLDER}/ || true").strip() == ""
    assert secret not in shared.ssh(on, "journalctl -u 'rancherctl-*' --no-pager; ps -ef; cat /proc/[0-9]*/cmdline")
    assert secret not in json.dumps(shared.get("configmap", "-n", "rancherctl-system"))


def test_a_rule_for_any_host_brings_no_key_to_its_host(shared: Environment, web: str) -> None:
    """Case 36: that host knows the rules of all others, because they might match, but has no business with keys."""
    host, pair = f"kept.{w.host(web)}", AUTHORITY.issue(f"kept.{w.host(web)}")
    shared.apply(w.tls_secret(web, "kept", pair), w.ingress(web, "kept", host, "web", secret="kept"))
    (address,) = w.published(shared, web, "kept", 1)
    until("the certificate", lambda: tls.serial(HTTPS, host, address) == pair.serial)
    other = next(h.name for h in shared.lab.hosts() if h.name != shared.host_of(address))

    def keys() -> set[str]:
        """Copies of secrets and files of certificates on the other host."""
        return {*copies(shared, other), *shared.ssh(other, f"ls {FOLDER} 2>/dev/null || true").split()}

    before = keys()
    there = {"io.rancher.scheduler.affinity.host_label": f"kubernetes.io/hostname={other}"}
    shared.apply(w.ingress(web, "any", "", "web", path=f"/any-{web}", annotations=there))
    (any_address,) = w.published(shared, web, "any", 1)
    assert shared.host_of(any_address) == other
    until("the rule of the other host", lambda: curl(any_address, host)[0] == 200)
    assert curl(any_address, "unknown.example", f"/any-{web}")[0] == 200
    assert keys() <= before
    assert tls.serial(HTTPS, host, any_address) == REFUSED
    shared.kubectl("delete", "ingress", "any", "kept", "-n", web)


def test_a_precise_name_is_never_shown_the_certificate_of_a_wildcard(shared: Environment, web: str) -> None:
    """HAProxy prefers EC keys: the wildcard excludes the name, and no longer when the name has such a key, too."""
    name, wildcard = f"b.wild.{w.host(web)}", f"*.wild.{w.host(web)}"
    wild, pairs = AUTHORITY.issue(wildcard), [AUTHORITY.issue(name, key=tls.rsa_key()), AUTHORITY.issue(name)]
    every = str(len(shared.lab.hosts()))
    shared.apply(w.tls_secret(web, "wild", wild), w.ingress(web, "wild", wildcard, "web", scale=every, secret="wild"))
    w.published(shared, web, "wild", int(every))
    shared.apply(w.tls_secret(web, "precise", pairs[0]))
    shared.apply(w.ingress(web, "precise", name, "web", scale=every, secret="precise"))
    addresses = w.published(shared, web, "precise", int(every))
    workers = {a: shared.ssh(shared.host_of(a), "pidof haproxy") for a in addresses}
    for pair in (*pairs, *pairs[::-1]):
        shared.apply(w.tls_secret(web, "precise", pair))
        until("its certificate", lambda pair=pair: serials(addresses, name) == {pair.serial})
        assert serials(addresses, name.replace("b.", "c.", 1)) == {wild.serial}
    shared.kubectl("delete", "ingress", "precise", "-n", web)
    until("that of the wildcard", lambda: serials(addresses, name) == {wild.serial})
    assert {a: shared.ssh(shared.host_of(a), "pidof haproxy") for a in addresses} == workers, "no reload"
    shared.kubectl("delete", "ingress", "wild", "-n", web)


def test_the_certificates_listed_for_a_host_equal_its_disk(shared: Environment, web: str) -> None:
    """Names, serial numbers and Ingresses of the files that are there, and no key in the answer."""
    host, pair = f"listed.{w.host(web)}", AUTHORITY.issue(f"listed.{w.host(web)}")
    shared.apply(w.tls_secret(web, "listed", pair), w.ingress(web, "listed", host, "web", secret="listed"))
    (address,) = w.published(shared, web, "listed", 1)
    until("the certificate", lambda: tls.serial(HTTPS, host, address) == pair.serial)
    on = shared.host_of(address)

    def listed(name: str) -> list[dict[str, Any]]:
        answer = shared.rancherctl("ingress", "certs", "--on", name, "-o", "json").stdout
        assert "PRIVATE" not in answer
        found: list[dict[str, Any]] = json.loads(answer)["items"]
        return found

    files = f"ls -A {FOLDER} 2>/dev/null || true"
    for each in (on, next(h.name for h in shared.lab.hosts() if h.name != on)):
        until("equality", lambda e=each: sorted(i["file"] for i in listed(e)) == sorted(shared.ssh(e, files).split()))
    (mine,) = (item for item in listed(on) if f"{web}/listed" in item["secrets"])
    assert (int(mine["serial"], 16), mine["ingresses"], mine["names"]) == (pair.serial, [f"{web}/listed"], [host])
    assert mine["problems"] == []

    def row() -> dict[str, Any]:
        items = json.loads(shared.rancherctl("ingress", "certs", "-n", web, "-o", "json").stdout)["items"]
        return next(item for item in items if item["secret"] == f"{web}/listed")

    confirmed = {"host": on, "address": address, "alive": True, "current": True}
    until("the report", lambda: row()["hosts"] == [confirmed])
    assert (row()["days_left"], row()["problems"]) == (89, [])


def test_status_reports_the_certificate_of_each_address(shared: Environment, web: str) -> None:
    """Right, expired, for another name, refused, and an invalid update of which the last good one is still in use."""
    host = f"probed.{w.host(web)}"
    good, expired = AUTHORITY.issue(host), AUTHORITY.issue("other.example", days=-1)
    mixed = tls.Pair(expired.certificate, good.key, 0)
    shared.apply(w.tls_secret(web, "probed", good))
    shared.apply(w.ingress(web, "probed", host, "web", scale="2", secret="probed"))
    shared.apply(w.ingress(web, "refused", f"refused.{w.host(web)}", "web", secret="none"))
    addresses = w.published(shared, web, "probed", 2)
    until("HTTPS", lambda: serials(addresses, host) == {good.serial})

    def seen(name: str) -> tuple[int, dict[str, Any]]:
        """Exit code, and by address what was said about its certificate."""
        done = shared.rancherctl("ingress", "status", name, "-n", web, "-o", "json")
        rows = json.loads(done.stdout)["items"]
        return done.returncode, {i["address"]: i for i in rows if i["address"] and not i["path"]}

    code, rows = seen("probed")
    assert (code, sorted(rows)) == (0, sorted(addresses))
    assert {int(row["certificate"]["serial"], 16) for row in rows.values()} == {good.serial}
    assert {row["certificate"]["secret"] for row in rows.values()} == {f"{web}/probed"}
    shared.apply(w.tls_secret(web, "probed", mixed))
    invalid = "the private key does not belong to the certificate"
    until("the refusal", lambda: all(invalid in row["result"] for row in seen("probed")[1].values()))
    code, rows = seen("probed")
    assert (code, {row["ok"] for row in rows.values()}) == (6, {False})
    assert {int(row["certificate"]["serial"], 16) for row in rows.values()} == {good.serial}, "the last good one"
    certs = shared.rancherctl("ingress", "certs", "-n", web)
    assert certs.returncode == 1
    assert invalid in certs.stderr
    shared.apply(w.tls_secret(web, "probed", expired))
    until("the certificate", lambda: serials(addresses, host) == {expired.serial})
    code, rows = seen("probed")
    assert code == 6
    for row in rows.values():
        assert "expired" in row["result"]
        assert f"not for {host}" in row["result"]
    w.published(shared, web, "refused", 1)
    code, rows = seen("refused")
    (row,) = rows.values()
    assert (code, row["certificate"]) == (6, None)
    assert f"the host has no certificate for this name; waiting for secret {web}/none" in row["result"]
    assert f"waiting for secret {web}/none" in shared.ok("ingress", "show", "refused", "-n", web)


def test_options_of_https_change_on_all_addresses_without_a_reload(shared: Environment, web: str) -> None:
    """What handshakes negotiate, the redirect and HSTS on the HAProxy of the hosts; only a new text of HSTS reloads."""
    host, pair = f"options.{w.host(web)}", AUTHORITY.issue(f"options.{w.host(web)}")
    shared.apply(w.tls_secret(web, "options", pair))

    def apply(**options: str) -> None:
        """Options have underscores for hyphens."""
        notes = {
            INGRESS_PREFIX + name.replace("_", "-"): text for name, text in ({"hsts": "max-age=9"} | options).items()
        }
        shared.apply(w.ingress(web, "options", host, "web", scale="2", secret="options", annotations=notes))

    def seen() -> set[Any]:
        """Of all addresses: protocol, result of TLS 1.2, status of the plain answer, and the header."""
        return {one(address) for address in addresses}

    def one(address: str) -> tuple[Any, ...]:
        offered = tls.negotiated(HTTPS, host, alpn=("h2", "http/1.1"), address=address)
        older = tls.negotiated(HTTPS, host, newest="1.2", address=address)
        with contextlib.closing(tls.Connection(HTTPS, host, address)) as connection:
            header = connection.request(host)[2].get("strict-transport-security")
        return offered[1], older if isinstance(older, str) else older[0], curl(address, host)[0], header

    apply()
    addresses = w.published(shared, web, "options", 2)
    until("HTTPS", lambda: seen() == {("h2", "TLSv1.2", 308, "max-age=9")})
    workers = {a: shared.ssh(shared.host_of(a), "pidof haproxy") for a in addresses}
    apply(http2="false", tls_min_version="1.3", ssl_redirect_code="301")
    refused = "TLSV1_ALERT_PROTOCOL_VERSION"
    until("HTTP/1.1, TLS 1.3 and 301", lambda: seen() == {("http/1.1", refused, 301, "max-age=9")})
    apply(ssl_redirect="false", tls_min_version="1.3")
    until("HTTP/2 and no redirect", lambda: seen() == {("h2", refused, 200, "max-age=9")})
    apply()
    until("the defaults", lambda: seen() == {("h2", "TLSv1.2", 308, "max-age=9")})
    assert {a: shared.ssh(shared.host_of(a), "pidof haproxy") for a in addresses} == workers, "no reload"


def test_clients_need_a_certificate_of_the_authority_and_without_it_the_site_is_closed(
    shared: Environment, web: str, measure: Measure
) -> None:
    """Late, replaced and deleted authorities: each is reported, nothing opens, and only the first policy reloads."""
    host, first, second = f"clients.{w.host(web)}", tls.Authority("first"), tls.Authority("second")
    pairs = (None, first.issue("one"), second.issue("two"))
    shared.apply(w.tls_secret(web, "clients", AUTHORITY.issue(host)))
    asking = {f"{INGRESS_PREFIX}client-ca": "authorities"}
    shared.apply(w.ingress(web, "clients", host, "web", secret="clients", annotations=asking))
    (address,) = w.published(shared, web, "clients", 1)

    def seen() -> list[str]:
        """What clients get: without a certificate, and with one of each authority."""
        answers = [mtls.Client(HTTPS, pair, address=address).answer(host) for pair in pairs]
        return ["served" if answer.startswith("web-") else answer for answer in answers]

    def message() -> str:
        return str(w.status_annotation(shared, web, "clients")["message"])

    until("HTTPS", lambda: seen() == ["503", "503", "503"])
    until("the reason", lambda: f"waiting for secret {web}/authorities" in message())
    shared.apply(w.authorities_secret(web, "authorities", first))
    until("a client with a certificate", lambda: seen() == ["refused", "served", "refused"])
    assert curl(address, host)[0] == 308, "never over plain HTTP"
    until("no problem", lambda: w.status_annotation(shared, web, "clients")["reason"] == "Served")
    on = shared.host_of(address)
    assert f"{web}/authorities" in copies(shared, on)
    worker = shared.ssh(on, "pidof haproxy")
    shared.apply(w.authorities_secret(web, "authorities", second))
    start = time.monotonic()
    until("the other authority", lambda: seen() == ["refused", "refused", "served"], pause=0.01)
    measure("rotation of an authority of clients", (time.monotonic() - start) * 1000, "ms")
    shared.kubectl("delete", "secret", "authorities", "-n", web)
    until("closed", lambda: seen() == ["503", "503", "503"])
    until("the reason", lambda: f"waiting for secret {web}/authorities" in message())
    assert shared.ssh(on, "pidof haproxy") == worker, "no reload"
