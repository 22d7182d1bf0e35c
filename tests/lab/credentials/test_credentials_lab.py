"""Operators, tokens, the exec plug-in and kubectl against a real kube-apiserver; no hosts are needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rancherctl.credentials import token_cache, tokens
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.renewal import Renewal, parse_issued
from rancherctl.credentials.store import SecretStore
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.manifests import manifests, policies
from rancherctl.environments.manifests.base import INVENTORY
from rancherctl.environments.operators import remote
from rancherctl.errors import AuthError, RancherctlError
from rancherctl.kube.apply import apply, plan
from rancherctl.kube.client import NAMESPACES, SECRETS
from rancherctl.kube.kinds import Kinds
from rancherctl.kube.manifests import Inventory
from rancherctl.kube.rest import RestClient
from tests.lab.apiserver import ApiServer, running

pytestmark = pytest.mark.lab
OPERATOR, SESSION = "alice", "laptop"
BIN = Path(sys.executable).parent


@dataclass
class SignedIn:
    """One operator on one machine, whose home is ``home``."""

    server: ApiServer
    home: Path
    renewal: Renewal

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.home), "CI": "true"}

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, env=self.environ, capture_output=True, text=True, timeout=300, check=False)

    def token(self) -> str:
        return str(json.loads(self.renewal.document("demo"))["status"]["token"])

    def client(self, token: str) -> RestClient:
        return RestClient(self.server.url, ca=self.server.ca, token=token)


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[SignedIn]:
    with running() as server:
        with server.client() as admin:
            meta = {"name": tokens.session_secret(OPERATOR, SESSION), "namespace": tokens.NAMESPACE}
            session = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta}
            objects = [*tokens.operator_objects(OPERATOR), session]
            inventory = Inventory(tokens.NAMESPACE, "operators")
            apply(admin, plan(admin, objects, inventory), inventory)
            assert not plan(admin, objects, inventory)
            secret = tokens.session_secret(OPERATOR, SESSION)
            uid = admin.get(SECRETS, secret, namespace=tokens.NAMESPACE)["metadata"]["uid"]
            cluster = admin.get(NAMESPACES, "kube-system")["metadata"]["uid"]
            answer: dict[str, object] = {"session_uid": uid}
            for name, account, seconds in (
                ("token", OPERATOR, 3600),
                ("refresh", tokens.refresher(OPERATOR), tokens.REFRESH_SECONDS),
            ):
                path, body = tokens.token_request(account, seconds, secret, uid)
                answer[name] = json.loads(admin.raw("POST", path, body=json.dumps(body).encode()))
        ca = server.ca.read_text()
        config = tmp_path / ".config/rancherctl/environments"
        warnings: list[str] = []
        store = SecretStore(tmp_path / ".local/state/rancherctl/secrets.json", None, warnings.append)
        renewal = Renewal(Registry(config), store, tmp_path / ".cache/rancherctl/credentials")
        access = Access("demo", server.url, ca, OPERATOR, SESSION, uid, cluster)
        renewal.registry.save(access)
        renewal.accept(access, parse_issued(json.dumps(answer).encode(), time.time()))
        (config / "demo.yaml").write_text("name: demo\n")
        yield SignedIn(server, tmp_path, renewal)


def test_the_refresh_token_may_only_create_tokens(alice: SignedIn) -> None:
    refresh = alice.renewal.store.get("refresh/demo")
    assert refresh is not None
    with alice.client(str(refresh)) as client:
        for path in ("/api/v1/namespaces", "/api/v1/namespaces/rancherctl-operators/secrets"):
            with pytest.raises(AuthError, match="not allowed"):
                client.raw("GET", path)
        path, body = tokens.token_request(
            tokens.refresher(OPERATOR), 3600, tokens.session_secret(OPERATOR, SESSION), ""
        )
        with pytest.raises(AuthError, match="not allowed"):
            client.raw("POST", path, body=json.dumps(body).encode())
    first = alice.token()
    second = json.loads(alice.renewal.document("demo", force=True))["status"]["token"]
    assert first != second
    with alice.client(second) as client:
        assert client.list(NAMESPACES).items


def test_a_refresh_token_creates_no_token_that_outlives_its_session(alice: SignedIn) -> None:
    """With a stolen refresh token one could otherwise create an unbound token for years that revoking would not end."""
    refresh = str(alice.renewal.store.get("refresh/demo"))
    secret, uid = tokens.session_secret(OPERATOR, SESSION), alice.renewal.registry.load("demo").session_uid
    with alice.server.client() as admin:
        for policy in policies.refresh_tokens():
            admin.apply(Kinds(admin).find(policy), policy, manager="test")
    path, good = tokens.token_request(OPERATOR, 3600, secret, uid)
    _, long = tokens.token_request(OPERATOR, 3601, secret, uid)
    other = {"spec": {**good["spec"], "boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "elsewhere"}}}
    free = {"spec": {"expirationSeconds": 3600}}

    def answer(body: dict[str, Any]) -> str:
        with alice.client(refresh) as client:
            try:
                client.raw("POST", path, body=json.dumps({**good, **body}).encode())
            except RancherctlError as error:
                return str(error)
        return ""

    until = time.monotonic() + 60
    while not answer(long) and time.monotonic() < until:  # a policy takes effect within seconds
        time.sleep(0.2)
    assert "must expire within 3600 seconds" in answer(long)
    assert "must be bound to one of their sessions" in answer(other)
    assert "must be bound to one of their sessions" in answer(free)
    assert answer(good) == ""
    with alice.server.client() as admin:  # the policy does not apply to others
        assert admin.raw("POST", path, body=json.dumps({**good, "spec": {"expirationSeconds": 7200}}).encode())


def test_revoking_ends_every_token_of_the_session(alice: SignedIn) -> None:
    token, refresh = alice.token(), str(alice.renewal.store.get("refresh/demo"))
    done = alice.run(str(BIN / "rancherctl-credential"), "--env", "demo", "--revoke")
    assert done.returncode == 0, done.stderr
    path, body = tokens.token_request(OPERATOR, 3600, tokens.session_secret(OPERATOR, SESSION), "")
    deadline = time.monotonic() + 120
    refused = 0
    while (
        refused < 2 and time.monotonic() < deadline
    ):  # the API server caches a successful authentication for ten seconds
        refused = 0
        for value, call in (
            (token, ("GET", "/api/v1/namespaces", None)),
            (refresh, ("POST", path, json.dumps(body).encode())),
        ):
            with alice.client(value) as client:
                try:
                    client.raw(call[0], call[1], body=call[2])
                except AuthError:
                    refused += 1
        time.sleep(0.2)
    assert refused == 2
    again = alice.run(str(BIN / "rancherctl-credential"), "--env", "demo")
    assert again.returncode == 4
    assert token not in again.stderr + done.stderr


def test_kubectl_works_with_the_written_kubeconfig(alice: SignedIn) -> None:
    if not shutil.which("kubectl"):
        pytest.fail("kubectl is needed")
    merged = alice.run(str(BIN / "rancherctl"), "kubeconfig", "merge", "demo")
    assert merged.returncode == 0, merged.stderr
    again = alice.run(str(BIN / "rancherctl"), "kubeconfig", "merge", "demo")
    assert "is up to date" in again.stderr
    names = alice.run("kubectl", "--context", "demo", "get", "namespaces", "-o", "name")
    assert "namespace/kube-system" in names.stdout, names.stderr
    shown = alice.run(str(BIN / "rancherctl"), "kubeconfig", "show", "demo")
    alone = alice.home / "alone.yaml"
    alone.write_text(shown.stdout)
    assert alice.run("kubectl", "--kubeconfig", str(alone), "get", "namespaces").returncode == 0
    assert alice.token() not in shown.stdout + (alice.home / ".kube/config").read_text()
    assert alice.run(str(BIN / "rancherctl"), "kubeconfig", "rm", "demo").returncode == 0
    assert alice.run(str(BIN / "rancherctl"), "kubeconfig", "rm", "demo").returncode == 3


def test_kubectl_is_passed_through_with_its_exit_code(alice: SignedIn) -> None:
    program = str(BIN / "rancherctl")
    done = alice.run(program, "kubectl", "--env", "demo", "get", "namespaces", "-o=name")
    assert "namespace/default" in done.stdout, done.stderr
    direct = alice.run(program, "kubectl", "get", "namespace", "nope")
    assert direct.returncode == 1
    assert "not found" in direct.stderr
    assert alice.run(program, "kubectl", "--env", "other", "get", "nodes").returncode == 3
    assert not (alice.home / ".kube/config").exists(), "the user's files are not touched"


def test_an_unreachable_api_is_reported_with_the_message_of_the_tunnel(alice: SignedIn) -> None:
    access = alice.renewal.registry.load("demo")
    lost = replace(
        access,
        server="https://127.0.0.1:1",
        tunnels=(("sh", "-c", "echo no route to h1 >&2; exit 255", "h1"),),
        targets=("10.0.0.1:6443",),
    )
    alice.renewal.registry.save(lost)
    done = alice.run(str(BIN / "rancherctl"), "kubectl", "get", "nodes")
    assert done.returncode == 7
    assert "no route to h1" in done.stderr


def test_an_expired_cache_is_renewed_by_kubectl_itself(alice: SignedIn) -> None:
    alice.run(str(BIN / "rancherctl"), "kubeconfig", "merge", "demo")
    path = alice.renewal.token_file("demo")
    before = path.read_text()
    path.write_text("1 0 0 0 0 -\n" + before.partition("\n")[2])
    assert alice.run("kubectl", "--context", "demo", "get", "namespaces").returncode == 0
    document, fresh = token_cache.cached(str(path), time.time(), token_cache.boot_now())
    assert fresh
    assert document != before.partition("\n")[2]


def test_signing_in_does_not_change_the_environments_objects() -> None:
    wanted = manifests(from_flags("demo", ["root@10.0.0.11"], version="").environment)
    with running() as server, server.client() as admin:
        apply(admin, plan(admin, wanted, INVENTORY), INVENTORY)
        kinds = Kinds(admin)
        for obj in tokens.operator_objects(OPERATOR):
            admin.apply(kinds.find(obj), obj, manager=remote.MANAGER)
        assert plan(admin, wanted, INVENTORY).changes == ()
