"""Tokens that the API refuses before they expire: replaced once, by kubectl's plug-in and by every other client."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rancherctl import bound_tokens
from rancherctl.cli.api import EnvironmentToken
from rancherctl.credentials.execplugin import Plugin
from rancherctl.credentials.kubeconfig import Exec, Target
from rancherctl.credentials.registry import Registry
from rancherctl.credentials.store import SecretStore
from rancherctl.credentials.token_cache import RENEWED_SECONDS
from rancherctl.credentials.token_cache_writer import write_token
from rancherctl.credentials.user_stores import user_renewal
from rancherctl.errors import AuthError
from rancherctl.kube.client import PODS
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.official import OfficialClient
from rancherctl.kube.rest import RestClient
from rancherctl.secret import Secret
from rancherctl.settings import dirs
from tests.fakes.token_api import TokenApi, token_api

PLUGIN = f'#!/bin/sh\necho run >> "$0.runs"\nexec {sys.executable} -m rancherctl.credentials.plugin "$@"\n'
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl decides when the plug-in runs again")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenApi]:
    """An API with a signed-in machine, whose kubeconfig has our plug-in, and whose cached token is a minute old."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "KUBECONFIG", "KUBERNETES_EXEC_INFO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CI", "true")
    with token_api(tmp_path / "api") as found:
        access = replace(found.access(), issue=(("sh", "-c", f"echo run >> {tmp_path}/ssh; exit 255"),))
        Registry(dirs(os.environ).config / "environments").save(access)
        SecretStore(tmp_path / ".local/state/rancherctl/secrets.json", None, lambda _: None).put(
            "refresh/demo", Secret("refresh")
        )
        plugin = tmp_path / "plug"
        plugin.write_text(PLUGIN)
        plugin.chmod(0o755)
        exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "args": ["--env", "demo"]}
        ca = base64.b64encode(found.ca.encode()).decode()
        config = {
            "current-context": "demo",
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
            "clusters": [{"name": "demo", "cluster": {"server": access.server, "certificate-authority-data": ca}}],
            "users": [{"name": "demo", "user": {"exec": {**exec_, "interactiveMode": "Never"}}}],
        }
        (tmp_path / ".kube").mkdir()
        (tmp_path / ".kube/config").write_text(yaml.safe_dump(config))
        write_token(cache(), bound_tokens.parse(found.issue(), time.time()), time.time())
        age(60)
        yield found


def cache() -> Path:
    return dirs(os.environ).cache / "credentials" / "demo"


def age(seconds: float) -> None:
    """Let the cached token have been written ``seconds`` ago."""
    os.utime(cache(), (time.time() - seconds,) * 2)


def kubectl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=60, check=False)


def runs(tmp_path: Path, name: str = "plug.runs") -> int:
    return len((tmp_path / name).read_text().split()) if (tmp_path / name).exists() else 0


@needs_kubectl
def test_kubectl_replaces_a_refused_token_once(api: TokenApi, tmp_path: Path) -> None:
    api.valid.clear()
    first = kubectl("get", "--raw", "/api/v1/pods")
    assert (api.count("GET", 401), api.count("POST", 201)) == (1, 1), first.stderr
    assert runs(tmp_path) == 2, "kubectl runs the plug-in again after 401, and repeats no request"
    for _ in range(3):
        age(60)
        assert kubectl("get", "--raw", "/api/v1/pods").returncode == 0
    assert (api.count("POST", 201), runs(tmp_path)) == (1, 5)


@needs_kubectl
def test_kubectl_without_a_refusal_never_renews_a_valid_token(api: TokenApi, tmp_path: Path) -> None:
    for _ in range(5):
        assert kubectl("get", "pods").returncode == 0
    assert (api.count("POST", 201), runs(tmp_path)) == (0, 5)


@needs_kubectl
def test_an_ended_session_is_tried_once_a_run_and_the_remedy_is_said(api: TokenApi, tmp_path: Path) -> None:
    api.valid.clear()
    api.refresh = "another"
    for number in (1, 2):
        done = kubectl("get", "pods")
        assert done.returncode == 1
        assert runs(tmp_path, "ssh") == 1, "the next attempt comes after a pause"
        if number == 1:
            assert "the API refused the cached token, and renewing it failed" in done.stderr
            assert "rancherctl env fetch USER@HOST" in done.stderr
    age(RENEWED_SECONDS + 1)
    kubectl("get", "pods")
    assert runs(tmp_path, "ssh") == 2


def ask(environ: dict[str, str], *, times: int = 2) -> list[str]:
    """The tokens that one process gets which runs the plug-in ``times`` times."""
    code = """import subprocess, sys
for _ in range(int(sys.argv[1])):
    subprocess.run([sys.executable, "-m", "rancherctl.credentials.plugin", "--env", "demo"], check=True)"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(times)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line)["status"]["token"] for line in done.stdout.splitlines()]


CLIENT = {"KUBERNETES_EXEC_INFO": "{}"}


def test_a_client_that_asks_again_gets_another_token_and_after_that_the_same(api: TokenApi) -> None:
    tokens = ask(CLIENT, times=4)
    assert tokens[0] != tokens[1] == tokens[2] == tokens[3]
    assert api.count("POST", 201) == 1


def test_a_young_token_is_not_replaced(api: TokenApi) -> None:
    age(0)
    assert len(set(ask(CLIENT))) == 1


def test_a_script_that_asks_again_gets_the_cached_token(api: TokenApi) -> None:
    assert len(set(ask({}))) == 1


def test_other_clients_get_the_cached_token(api: TokenApi) -> None:
    assert len({ask(CLIENT, times=1)[0] for _ in range(3)}) == 1
    assert len(cache().with_name("demo.callers").read_text().splitlines()) == 3


def test_a_program_that_replaces_itself_by_another_is_two_clients(api: TokenApi) -> None:
    """As a kubectl that asks for the server's version and then runs the kubectl of that version."""
    argv = [sys.executable, "-m", "rancherctl.credentials.plugin", "--env", "demo"]
    code = f"""import os, subprocess
subprocess.run({argv}, check=True)
os.execvp("sh", ["sh", "-c", '"$@"; exit', "sh", *{argv}])"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **CLIENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2
    assert len(set(done.stdout.splitlines())) == 1


@pytest.mark.parametrize("damage", ["a folder", "a long list", "other bytes"])
def test_a_list_of_callers_that_cannot_be_used_prevents_no_token(api: TokenApi, damage: str) -> None:
    callers = cache().with_name("demo.callers")
    if damage == "a folder":
        callers.mkdir()
    else:
        callers.write_bytes(b"1:2\n" * 30_000 if damage == "a long list" else b"\xff\x00\n")
    assert len(ask(CLIENT, times=1)) == 1
    if damage != "a folder":
        assert callers.stat().st_size < 1000


def test_a_list_of_callers_is_private_and_is_forgotten_with_the_token(api: TokenApi) -> None:
    ask(CLIENT, times=1)
    callers = cache().with_name("demo.callers")
    assert callers.stat().st_mode & 0o777 == 0o600
    user_renewal(dirs(os.environ), pytest.fail).forget("demo")
    assert not callers.exists()


def test_the_official_client_renews_a_refused_token_once(api: TokenApi) -> None:
    token = EnvironmentToken(user_renewal(dirs(os.environ), pytest.fail), "demo")
    with OfficialClient(ApiEndpoint(api.access().server, api.ca.encode()), token) as client:
        client.raw("GET", "/version")
        api.valid.clear()
        client.raw("GET", "/version")
        assert (api.count("POST", 201), api.count("GET", 401)) == (1, 1)
        api.valid.clear()
        api.refresh = "another"
        with pytest.raises(AuthError):
            client.raw("GET", "/version")


def test_the_official_client_renews_a_token_that_discovery_refuses(api: TokenApi) -> None:
    api.valid.clear()
    token = EnvironmentToken(user_renewal(dirs(os.environ), pytest.fail), "demo")
    with OfficialClient(ApiEndpoint(api.access().server, api.ca.encode()), token) as client:
        client.raw("GET", "/version")
    assert (api.count("POST", 201), api.count("GET", 401)) == (1, 1)


@pytest.mark.parametrize("official", [False, True], ids=["thin", "official"])
def test_a_plugin_of_a_context_runs_again_after_a_refusal(api: TokenApi, tmp_path: Path, official: bool) -> None:
    script = tmp_path / "other"
    script.write_text('#!/bin/sh\necho run >> "$0.runs"\ncat "$0.answer"\n')
    script.chmod(0o755)

    def answer(token: str) -> None:
        body = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
        (tmp_path / "other.answer").write_text(json.dumps(body))

    exec_ = Exec(str(script), (), (), "client.authentication.k8s.io/v1", "Never", "", False, script)
    plugin = Plugin(Target("c", api.access().server, exec=exec_), lambda _: True)
    endpoint = ApiEndpoint(api.access().server, api.ca.encode())
    api.valid = {"one"}
    answer("one")
    with OfficialClient(endpoint, plugin) if official else RestClient(endpoint, token=plugin) as client:
        client.raw("GET", "/version")
        api.valid = {"two"}
        answer("two")
        client.raw("GET", "/version")
        assert runs(tmp_path, "other.runs") == 2
        api.valid = {"three"}
        with pytest.raises(AuthError):
            client.raw("GET", "/version")
        assert runs(tmp_path, "other.runs") == 3
    with RestClient(endpoint, token="three") as client:
        client.list(PODS)
