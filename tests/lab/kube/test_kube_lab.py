"""The REST client and the watch cache with a real kube-apiserver and etcd: restarts, compaction, rotation."""

from __future__ import annotations

import contextlib
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, InvalidObjectError
from rancherctl.kube.objects import config_map
from rancherctl.kube.rest import RestClient
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import SERVICES, TableSpec
from tests.lab.apiserver import ApiServer, certificates, issue, running

pytestmark = pytest.mark.lab
CONFIGS = TableSpec("configs", CONFIGMAPS, config_map, namespace="default")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as api:
        yield api


def put(client: RestClient, name: str, **data: str) -> None:
    client.apply(CONFIGMAPS, {"metadata": {"name": name, "namespace": "default"}, "data": data}, manager="test")


def until(cache: Cache, ready: Callable[[Snapshot], bool], seconds: float = 120) -> Snapshot:
    assert cache.wait(ready, seconds), cache.snapshot()
    return cache.snapshot()


def test_the_cache_survives_restarts_and_compaction(server: ApiServer) -> None:
    with server.client() as client:
        put(client, "a", k="1")
        put(client, "b", k="1")
        cache = Cache(client, [CONFIGS, SERVICES], lambda _: None, choose=random.Random(1))
        cache.start()
        first = until(cache, lambda s: s.healthy and "default/b" in s.table("configs").items)

        server.stop("apiserver", kill=True)
        down = until(cache, lambda s: not s.table("configs").healthy)
        assert down.table("configs").items == first.table("configs").items, "known objects stay"
        with pytest.raises(UnreachableError):
            client.get(CONFIGMAPS, "a", namespace="default")

        server.start("apiserver")
        server.wait_ready()
        put(client, "a", k="2")
        client.delete(CONFIGMAPS, "b", namespace="default")
        put(client, "c", k="3")
        until(cache, lambda s: s.healthy and set(s.table("configs").items) == {"default/a", "default/c"} | known(first))
        assert cache.snapshot().table("configs").items["default/a"].data == {"k": "2"}

        epoch = cache.snapshot().table("configs").epoch
        server.stop("apiserver", kill=True)
        until(cache, lambda s: not s.table("configs").healthy)
        compact(server)
        server.start("apiserver")
        server.wait_ready()
        put(client, "d")
        after = until(cache, lambda s: s.healthy and "default/d" in s.table("configs").items)
        assert after.table("configs").epoch == epoch + 1, "410 causes one new list"
        cache.stop()


def known(snapshot: Snapshot) -> set[str]:
    """Objects that the API server itself creates there."""
    return set(snapshot.table("configs").items) - {"default/a", "default/b"}


def compact(server: ApiServer) -> None:
    """Write and compact, so that etcd no longer has any version that a client knows."""
    endpoint = next(w for w in server.commands["etcd"] if w.startswith("--advertise-client-urls=")).partition("=")[2]
    etcdctl = Path(server.commands["etcd"][0]).with_name("etcdctl")

    def call(*words: str) -> str:
        return subprocess.run(
            [etcdctl, f"--endpoints={endpoint}", *words], check=True, capture_output=True, text=True, timeout=120
        ).stdout

    for i in range(20):
        call("put", "/unrelated", str(i))
    revision = call("get", "/unrelated", "-w", "fields").split('"Revision" : ')[1].split()[0]
    call("compact", revision)


def test_the_error_contains_the_message_of_the_api(server: ApiServer) -> None:
    with server.client() as client, pytest.raises(InvalidObjectError, match="Invalid value"):
        client.create(CONFIGMAPS, {"metadata": {"name": "Bad_Name", "namespace": "default"}})


def test_renewed_certificate_files_are_used_and_refusals_name_their_cause(server: ApiServer, tmp_path: Path) -> None:
    """The next call uses a certificate renewed in place, without a new client.

    Errors distinguish an untrusted CA from a wrong token.
    """
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        ca = x509.load_pem_x509_certificate(server.ca.read_bytes())
        ca_key = serialization.load_pem_private_key((server.folder / "ca.key").read_bytes(), None)
        assert not isinstance(ca_key, bytes)
        issue(tmp_path, "me", "stranger", "", ca, ca_key)  # type: ignore[arg-type]
        rest = enter(RestClient(server.url, ca=server.ca, cert=tmp_path / "me.crt", key=tmp_path / "me.key"))
        with pytest.raises(AuthError, match="not allowed"):
            rest.list(NAMESPACES)
        issue(tmp_path, "me", "admin", "system:masters", ca, ca_key)  # type: ignore[arg-type]
        assert rest.list(NAMESPACES).items
        (tmp_path / "me.key").write_text("half written")
        assert rest.list(NAMESPACES).items, "in the middle of a rotation the old pair is used"
        pem = enter(
            RestClient(
                server.url, ca=server.ca.read_bytes(), cert=server.cert.read_bytes(), key=server.key.read_bytes()
            )
        )
        assert pem.list(NAMESPACES).items
        certificates(tmp_path)
        with pytest.raises(AuthError, match="not trusted"):
            enter(RestClient(server.url, ca=tmp_path / "ca.crt")).list(NAMESPACES)
        with pytest.raises(AuthError, match="does not accept"):
            enter(RestClient(server.url, ca=server.ca, token="wrong")).list(NAMESPACES)
