"""``rancherctl ingress certs`` and ``plan --without`` with an API over HTTP: output, exit codes, errors."""

# ruff: noqa: F811 - fixtures of another module
from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli.context import CommandRun
from rancherctl.cli.ingress import certificates as ingress_certs
from rancherctl.contract import INGRESS_PREFIX
from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.model import Host
from rancherctl.ingress import copies
from rancherctl.ingress.operator import host_certificates, http_check, tls_check
from rancherctl.ingress.operator.host_certificates import HostCertificates
from tests.contract.test_cli_ingress import CONFIGMAPS, INGRESSES, SYSTEM, api, run  # noqa: F401
from tests.contract.test_cli_ingress import _object as object_of
from tests.fakes import tls
from tests.fakes.kube import FakeApi, Fault, Handler

Run = Callable[..., tuple[int, str, str]]
SECRETS = "/api/v1/secrets"
AUTHORITY = tls.Authority()


def with_tls(name: str, secret: str, host: str = "foo.bar.com", namespace: str = "shop") -> dict[str, Any]:
    out = object_of(name, namespace, loadBalancer={"ingress": [{"ip": "127.0.0.1"}]})
    out["spec"]["rules"][0]["host"] = host
    out["spec"]["tls"] = [{"hosts": [host], "secretName": secret}]
    return out


def put_secret(api: FakeApi, name: str, pair: tls.Pair, kind: str = "kubernetes.io/tls") -> None:
    meta = {"name": name, "namespace": "shop"}
    api.store.put(SECRETS, "shop", {"metadata": meta, "type": kind, "data": pair.files()})


@pytest.fixture
def shop(api: FakeApi) -> FakeApi:
    """An Ingress with a good certificate."""
    api.store.put(INGRESSES, "shop", with_tls("front", "foo"))
    put_secret(api, "foo", AUTHORITY.issue("foo.bar.com"))
    return api


def test_certs_lists_each_certificate_with_its_ingress_and_hosts(run: Run, shop: FakeApi) -> None:
    code, out, err = run("certs")
    assert (code, err) == (0, "")
    title, row = (line.split() for line in out.splitlines())
    assert title == ["SECRET", "INGRESS", "NAMES", "ISSUER", "DAYS", "HOSTS", "PROBLEMS"]
    assert row == ["shop/foo", "shop/front", "foo.bar.com", "test", "authority", "89", "h1,h2", "-"]
    (item,) = json.loads(run("certs", "-o", "json")[1])["items"]
    assert (item["key"], item["names"], item["problems"]) == ("EC P-256", ["foo.bar.com"], [])
    assert "PRIVATE" not in json.dumps(item)
    assert run("certs", "-o", "name")[1] == "ingresscertificate/shop/foo\n"
    assert "days_left: 89" in run("certs", "-o", "yaml")[1]


def test_certs_ends_with_1_and_a_remedy_for_each_problem(run: Run, shop: FakeApi) -> None:
    shop.store.put(INGRESSES, "shop", with_tls("late", "none", "late.com"))
    shop.store.put(INGRESSES, "shop", with_tls("old", "old", "old.com"))
    put_secret(shop, "old", AUTHORITY.issue("other.com", days=-3))
    code, out, err = run("certs")
    assert code == 1
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["-", "Pending", "Expired,Name"]
    assert "error: shop/none, shop/old have problems" in err
    assert "kubectl -n shop create secret tls none --cert=FILE --key=FILE" in err
    assert "the certificate is for other.com, not for old.com" in err
    errors = json.loads(run("certs", "-o", "json")[1])["errors"]
    assert [error["where"] for error in errors] == ["shop/none", "shop/old"]


def test_warn_days_decide_what_expires_soon(run: Run, shop: FakeApi) -> None:
    code, _, err = run("certs", "--warn-days", "100")
    assert code == 1
    assert "the certificate expires in 89 days" in err
    assert run("certs", "--warn-days", "-1")[0] == 2


def test_a_secret_of_another_type_is_not_used(run: Run, shop: FakeApi) -> None:
    shop.store.put(INGRESSES, "shop", with_tls("front", "opaque"))
    put_secret(shop, "opaque", AUTHORITY.issue("foo.bar.com"), "Opaque")
    code, _, err = run("certs")
    assert code == 1
    assert "the secret (type kubernetes.io/tls) does not exist" in err


def test_certs_of_one_namespace_reads_secrets_there_only(run: Run, shop: FakeApi) -> None:
    shop.store.put(INGRESSES, "team", with_tls("back", "none", "back.com", "team"))
    shop.requests.clear()
    assert run("certs", "-n", "shop")[0] == 0
    assert [path for _, path in shop.requests if "secrets" in path and "namespaces/shop" not in path] == []
    assert run("certs", "-n", "team")[0] == 1


def forbid_secrets(api: FakeApi) -> None:
    def refuse(handler: Handler) -> bool:
        handler.answer(403, {"kind": "Status", "status": "Failure", "message": "secrets is forbidden", "code": 403})
        return True

    api.faults.append(Fault(lambda method, path, query: path.endswith("/secrets"), refuse, times=9))


def test_certs_without_the_right_to_read_secrets_is_an_error(run: Run, shop: FakeApi) -> None:
    forbid_secrets(shop)
    code, out, err = run("certs")
    assert (code, out) == (4, "")
    assert "cannot read the TLS secrets" in err
    assert "rancherctl ingress status" in err


def test_certs_without_tls_says_so(run: Run, api: FakeApi) -> None:
    code, out, err = run("certs")
    assert (code, out) == (0, "")
    assert "no ingress has tls" in err


@pytest.fixture
def hosts(shop: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the disks of h1 and h2 have: certificates, or the error of the connection."""
    disks: dict[str, Any] = {}

    def read(_run: CommandRun, host: Host) -> HostCertificates:
        found = disks[host.name]
        if isinstance(found, Exception):
            raise found
        return found

    listed = [
        {"name": "h1", "address": "192.0.2.1", "roles": ["etcd", "controlplane", "worker"]},
        {"name": "h2", "address": "192.0.2.2", "roles": ["worker"]},
    ]
    document = {"apiVersion": "rancherctl.io/v1alpha1", "kind": "Environment", "metadata": {"name": "demo"}}
    file = tmp_path / "XDG_CONFIG_HOME" / "rancherctl" / "environments" / "demo.yaml"
    file.write_text(json.dumps({**document, "spec": {"hosts": listed}}))
    monkeypatch.setattr(ingress_certs, "_read_host", read)
    return disks


def on_disk(pair: tls.Pair, secret: str) -> HostCertificates:
    return host_certificates.of_copies([pair.copy(secret, "shop")])


def test_certs_on_a_host_lists_its_disk_with_the_ingresses_of_each_secret(run: Run, hosts: dict[str, Any]) -> None:
    hosts["h1"] = on_disk(AUTHORITY.issue("foo.bar.com"), "foo")
    code, out, err = run("certs", "--on", "h1")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["FILE", "SECRETS", "NAMES", "DAYS", "PROBLEMS"]
    (item,) = json.loads(run("certs", "--on", "h1", "-o", "json")[1])["items"]
    assert (item["secrets"], item["ingresses"], item["days_left"]) == (["shop/foo"], ["shop/front"], 89)
    hosts["h1"] = on_disk(AUTHORITY.issue("foo.bar.com", days=5), "foo")
    code, _, err = run("certs", "--on", "h1")
    assert code == 1
    assert "error: h1 shop/foo has a problem" in err
    hosts["h1"] = HostCertificates(())
    code, out, err = run("certs", "--on", "h1")
    assert (code, out) == (0, "")
    assert "h1 has no certificates of ingresses on its disk" in err


def test_certs_on_a_host_says_that_keys_are_in_memory_only(run: Run, hosts: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "XDG_CONFIG_HOME" / "rancherctl" / "environments" / "demo.yaml"
    document = json.loads(file.read_text())
    document["spec"]["ingress"] = {"tls": {"keysOnDisk": False}}
    file.write_text(json.dumps(document))
    hosts["h1"] = HostCertificates(())
    code, out, err = run("certs", "--on", "h1")
    assert (code, out) == (0, "")
    assert "note: keys of certificates are in the memory of hosts only (ingress.tls.keysOnDisk: false)" in err


def test_certs_on_a_host_works_without_the_api(run: Run, hosts: dict[str, Any], shop: FakeApi) -> None:
    hosts["h1"] = on_disk(AUTHORITY.issue("foo.bar.com"), "foo")
    shop.close()
    code, out, err = run("certs", "--on", "h1", "-o", "json")
    assert code == 0
    assert [item["secrets"] for item in json.loads(out)["items"]] == [["shop/foo"]]
    assert "note: cannot say which ingresses use the secrets" in err


def test_certs_on_a_lost_host_lists_what_was_sent_to_it(run: Run, hosts: dict[str, Any], shop: FakeApi) -> None:
    hosts["h2"] = UnreachableError("cannot connect to h2", why="no route", hint="check the network")
    code, out, err = run("certs", "--on", "h2")
    assert (code, out) == (7, "")
    assert "next: check the network" in err
    pair = AUTHORITY.issue("foo.bar.com")
    body = copies.copy_object("h2", "shop/foo", pair.secret("foo", "shop"))
    shop.store.put(SECRETS, "rancherctl-host-h2", body)
    code, out, err = run("certs", "--on", "h2", "-o", "json")
    assert code == 7
    assert [(i["secrets"], i["ingresses"]) for i in json.loads(out)["items"]] == [(["shop/foo"], ["shop/front"])]
    assert "cannot read the disk of h2" in err
    assert "these are the certificates that were sent to it" in err


def test_certs_on_a_host_refuses_what_it_cannot_combine(run: Run, hosts: dict[str, Any]) -> None:
    code, _, err = run("certs", "--on", "h9")
    assert code == 3
    assert "hosts: h1, h2" in err
    for words in (("--context", "team"), ("-n", "shop")):
        code, _, err = run("certs", "--on", "h1", *words)
        assert code == 2
        assert "--on cannot be combined with" in err
    hosts["h1"] = AuthError("h1: login refused", hint="check the key")
    code, out, err = run("certs", "--on", "h1")
    assert (code, out) == (4, "")


def test_show_lists_each_tls_name_with_its_certificate_and_hosts(run: Run, shop: FakeApi) -> None:
    code, out, err = run("show", "front")
    assert (code, err) == (0, "")
    lines = out[out.index("tls:") :].splitlines()
    assert lines[1].startswith("  foo.bar.com: secret shop/foo, EC P-256, issuer test authority, 89 days left (until ")
    assert lines[2:] == [
        "    h1 127.0.0.1: has not confirmed it, published",
        "    h2 127.0.0.2: has not confirmed it, not published",
    ]
    (row,) = json.loads(run("show", "front", "-o", "json")[1])["tls"]
    assert (row["name"], row["certificates"][0]["secret"]) == ("foo.bar.com", "shop/foo")
    shop.store.put(INGRESSES, "shop", with_tls("front", "none"))
    assert "  foo.bar.com: waiting for secret shop/none (kubectl " in run("show", "front")[1]


def test_show_without_the_right_to_read_secrets_says_so(run: Run, shop: FakeApi) -> None:
    forbid_secrets(shop)
    code, out, err = run("show", "front")
    assert code == 0
    assert "  foo.bar.com: secret shop/foo\n" in out
    assert "note: certificates are not compared with their secrets" in err


def test_status_reports_certificates_of_each_address(run: Run, shop: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = http_check.Answer(True, 200, "answered with status 200 over TLS")
    shown = {"foo.bar.com": AUTHORITY.issue("foo.bar.com")}

    def shake(check: tls_check.TlsCheck, now: float, timeout: float) -> tls_check.TlsResult:
        return tls_check.judge(check, tls.der(shown[check.name]), fine, now)

    monkeypatch.setattr(tls_check, "run_check", shake)
    monkeypatch.setattr(http_check, "run_check", lambda q, port, timeout: http_check.HttpResult(q, True, 200, "fine"))
    published = with_tls("front", "foo")
    published["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}, {"ip": "127.0.0.2"}]}}
    shop.store.put(INGRESSES, "shop", published)
    code, out, err = run("status", "-o", "json")
    rows = [item for item in json.loads(out)["items"] if item["certificate"]]
    assert (code, [(r["address"], r["host"], r["ok"]) for r in rows]) == (
        6,
        [("127.0.0.1", "foo.bar.com", False), ("127.0.0.2", "foo.bar.com", False)],
    )
    assert "instead of that of secret shop/foo" in err
    assert "requests that failed are logged in /var/log/rancherctl/ingress/access.log on each" in err
    put_secret(shop, "foo", shown["foo.bar.com"])
    code, out, err = run("status")
    assert (code, err) == (0, "")
    assert "certificate of secret shop/foo (serial " in out
    forbid_secrets(shop)
    code, out, err = run("status")
    assert code == 0
    assert "note: certificates are not compared with their secrets" in err


def test_plan_without_a_host_lists_what_moves(run: Run, api: FakeApi) -> None:
    code, out, err = run("plan", "--without", "h1")
    assert (code, err) == (0, "")
    title, row = (line.split() for line in out.splitlines())
    assert title == ["INGRESS", "CHANGE", "FROM", "TO", "LEAVES", "JOINS", "READY", "WHY"]
    assert row[:7] == ["shop/front", "fewer", "h1", "-", "127.0.0.1", "-", "1/2"]
    (item,) = json.loads(run("plan", "--without", "h1", "-o", "json")[1])["items"]
    assert (item["before"], item["after"], item["reason"]) == (["h1", "h2"], ["h2"], "TooFewHosts")
    code, out, err = run("plan", "--without", "h3")
    assert (code, out) == (0, "")
    assert "no ingress would change" in err


def test_plan_needs_an_ingress_or_a_host_that_exists(run: Run, api: FakeApi) -> None:
    for words in (("plan",), ("plan", "--scale", "2"), ("plan", "--scale", "2", "--without", "h1")):
        code, _, err = run(*words)
        assert code == 2
        assert "no ingress given" in err
    code, out, err = run("plan", "--without", "h9")
    assert (code, out) == (2, "")
    assert "the load-balancer hosts are h1, h2, h3" in err


def put_authorities(api: FakeApi, name: str, text: bytes) -> None:
    meta = {"name": name, "namespace": "shop"}
    data = {"ca.crt": base64.b64encode(text).decode()}
    api.store.put(SECRETS, "shop", {"metadata": meta, "type": "Opaque", "data": data})


def test_certs_lists_authorities_of_clients_and_what_is_wrong_with_them(run: Run, shop: FakeApi) -> None:
    for name in ("good", "missing", "junk", "old"):
        host = f"{name}.com"
        guarded = with_tls(name, f"{name}-tls", host)
        guarded["metadata"]["annotations"] = {f"{INGRESS_PREFIX}client-ca": f"{name}-ca"}
        shop.store.put(INGRESSES, "shop", guarded)
        put_secret(shop, f"{name}-tls", AUTHORITY.issue(host))
    put_authorities(shop, "good-ca", AUTHORITY.certificate)
    put_authorities(shop, "junk-ca", b"junk")
    put_authorities(shop, "old-ca", AUTHORITY.certificate + AUTHORITY.issue("old authority", days=-1).certificate)
    code, out, err = run("certs")
    assert code == 1
    authorities = [line for line in out.splitlines() if "(client-ca)" in line]
    assert [line.split()[0] for line in authorities] == [
        "shop/good-ca",
        "shop/junk-ca",
        "shop/missing-ca",
        "shop/old-ca",
    ]
    assert authorities[0].split()[-1] == "-"
    assert "shop/junk-ca: ca.crt has no certificate in PEM; requests get status 503" in err
    assert "the secret does not exist; requests get status 503" in err
    assert "kubectl -n shop create secret generic missing-ca --from-file=ca.crt=FILE" in err
    assert "the authority old authority expired at" in err
    rows = {row["secret"]: row for row in json.loads(run("certs", "-o", "json")[1])["items"]}
    good = rows["shop/good-ca"]
    assert (good["purpose"], good["names"], good["ingresses"]) == ("client-ca", ["good.com"], ["shop/good"])
    assert (good["subject"], good["self_signed"], good["days_left"]) == ("test authority", True, 399)
    assert rows["shop/foo"]["purpose"] == "tls"
