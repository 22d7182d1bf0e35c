"""APIs of environments behind a proxy: every way to one uses HTTPS_PROXY, NO_PROXY and the cluster's proxy-url."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rancherctl.cli.api_route import api_route, proxy_to
from rancherctl.cli.env.listing import connect_problem
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.store import SecretStore
from rancherctl.credentials.user_stores import user_renewal
from rancherctl.environments.api_access import problem_at
from rancherctl.errors import UnreachableError, UsageError
from rancherctl.kube.client import PODS
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.official import OfficialClient
from rancherctl.kube.rest import RestClient
from rancherctl.proxy.choice import parsed
from rancherctl.secret import Secret
from rancherctl.settings import Dirs, dirs
from tests.fakes.certificates import certificate
from tests.fakes.proxy import VARIABLES, TunnelProxy, tunnel_proxy
from tests.fakes.token_api import NAME, TokenApi, token_api

CLI = "import sys; from rancherctl.cli.app import main; sys.exit(main(sys.argv[1:]))"
PLUGIN = "import sys; from rancherctl.credentials.plugin import main; sys.exit(main(sys.argv[1:]))"
SECONDS = 30.0
"""Far above every time limit of the program, far below a proxy's that hangs."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[TokenApi]:
    with token_api(tmp_path / "api") as found:
        yield found


@pytest.fixture
def proxy(api: TokenApi) -> Iterator[TunnelProxy]:
    with tunnel_proxy(api.port) as found:
        yield found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*VARIABLES, "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CI", "true")
    return tmp_path / "home"


def sign_in(access: Access) -> Dirs:
    """Store how to access an environment, and a refresh token."""
    where = dirs(os.environ)
    Registry(where.config / "environments").save(access)
    SecretStore(where.state / "secrets.json", None, lambda _: None).put("refresh/demo", Secret("refresh"))
    return where


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60, check=False
    )


ENVIRONMENT = """apiVersion: rancherctl.io/v1alpha1
kind: Environment
metadata: {name: demo}
spec:
  api: {address: HOST, port: PORT}
  kubernetes: {version: 1.36.3}
  hosts:
  - {name: h1, address: 10.0.0.11, roles: [etcd, controlplane, worker]}
"""


def env_ls(access: Access) -> dict[str, object]:
    where = sign_in(access)
    host, _, port = access.server.removeprefix("https://").rpartition(":")
    text = ENVIRONMENT.replace("HOST", host).replace("PORT", port)
    (where.config / "environments" / "demo.yaml").write_text(text)
    done = run(CLI, "env", "ls", "-o", "json")
    assert done.returncode == 0, done.stderr
    row: dict[str, object] = json.loads(done.stdout)["items"][0]
    return row


def renew(access: Access) -> None:
    sign_in(access)
    done = run(PLUGIN, "--env", access.name, "--refresh")
    assert done.returncode == 0, done.stderr


def read(access: Access) -> None:
    with api_route(access, pytest.fail) as found:
        assert problem_at(found.url, access.ca, proxy=found.proxy) == ""
        endpoint = ApiEndpoint(found.url, access.ca.encode(), proxy=found.proxy)
        with RestClient(endpoint, token="kept") as client:
            client.list(PODS)


def checked_route(access: Access) -> None:
    with api_route(replace(access, tunnels=(("false", "host1"),), targets=("x:1",)), pytest.fail) as found:
        assert found.proxy is not None


def listed(access: Access) -> None:
    assert env_ls(access)["reachable"] is True


WAYS = [renew, read, checked_route, listed]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("setting", ["HTTPS_PROXY", "https_proxy", "proxy-url"])
def test_every_way_to_the_api_leads_through_the_proxy(
    api: TokenApi, proxy: TunnelProxy, monkeypatch: pytest.MonkeyPatch, way: Callable[[Access], None], setting: str
) -> None:
    api.valid.add("kept")
    url = f"http://127.0.0.1:{proxy.port}"
    if setting == "proxy-url":
        way(api.access(NAME, proxy=url))
    else:
        monkeypatch.setenv(setting, url)
        way(api.access(NAME))
    assert set(proxy.asked) == {f"{NAME}:{api.port}"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("no_proxy", ["NO_PROXY", "no_proxy"])
def test_addresses_in_no_proxy_are_reached_directly(
    api: TokenApi, proxy: TunnelProxy, monkeypatch: pytest.MonkeyPatch, way: Callable[[Access], None], no_proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv(no_proxy, "10.0.0.0/8,.internal:1,127.0.0.0/8")
    api.valid.add("kept")
    if way is checked_route:
        with api_route(api.access(), pytest.fail) as found:
            assert (found.proxy, found.through) == (None, "")
    else:
        way(api.access())
    assert proxy.asked == []


def test_an_explicit_proxy_leads_to_loopback_too_as_with_kubectl(api: TokenApi, proxy: TunnelProxy) -> None:
    renew(api.access(proxy=f"http://127.0.0.1:{proxy.port}"))
    assert proxy.asked == [f"127.0.0.1:{api.port}"]


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_each_kind_of_proxy_serves_both_clients_and_long_answers(api: TokenApi, tmp_path: Path, kind: str) -> None:
    pair, _ = certificate(tmp_path / "proxy")
    api.valid.add("kept")
    # an HTTPS proxy with a certificate of the cluster's CA, which is the one that kubectl trusts
    with tunnel_proxy(api.port, kind, tmp_path / "api" / "pair.pem" if kind == "https" else pair) as proxy:
        through = parsed(f"{kind}://127.0.0.1:{proxy.port}", "proxy-url")
        endpoint = ApiEndpoint(f"https://{NAME}:{api.port}", api.ca.encode(), proxy=through)
        with RestClient(endpoint, token="kept") as client:
            for _ in range(3):
                client.list(PODS)
            assert len(proxy.asked) == 1, "the connection is used again"
            client.raw("POST", "/anything/token", body=b"{}" + b" " * 3_000_000)
        with OfficialClient(endpoint, "kept") as official:
            official.raw("GET", "/version")
        assert set(proxy.asked) == {f"{NAME}:{api.port}"}


def test_an_https_proxy_that_cannot_prove_itself_is_not_used(api: TokenApi, tmp_path: Path) -> None:
    pair, _ = certificate(tmp_path / "proxy")
    with tunnel_proxy(api.port, "https", pair) as proxy:
        through = parsed(f"https://127.0.0.1:{proxy.port}", "HTTPS_PROXY")
        problem = problem_at(f"https://{NAME}:{api.port}", api.ca, proxy=through)
        assert proxy.asked == []
    assert "its certificate is not trusted" in problem
    assert "SSL_CERT_FILE" in problem


@pytest.mark.parametrize(
    ("user", "reply", "url", "why"),
    [
        (("ann", "p@ss"), 0, "socks5://ann:p%40ss@", ""),
        (("ann", "p@ss"), 0, "socks5h://ann:p%40ss@", ""),
        (("ann", "p@ss"), 0, "socks5://", "it requires a user name and a password"),
        (("ann", "p@ss"), 0, "socks5://ann:secret@", "it does not accept the user name and the password"),
        (None, 2, "socks5://", "its rules do not allow the connection"),
        (None, 5, "socks5://", "connection refused"),
    ],
)
def test_socks5_proxies_sign_in_and_say_why_they_refuse(
    api: TokenApi, user: tuple[str, str] | None, reply: int, url: str, why: str
) -> None:
    with tunnel_proxy(api.port, "socks5") as proxy:
        proxy.user, proxy.reply = user, reply
        through = parsed(f"{url}127.0.0.1:{proxy.port}", "proxy-url")
        problem = problem_at(f"https://{NAME}:{api.port}", api.ca, proxy=through)
    assert (why in problem, bool(problem)) == (True, bool(why))
    assert "secret" not in problem


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_a_proxy_that_hangs_is_given_up_in_time_by_every_way(api: TokenApi, kind: str, tmp_path: Path) -> None:
    pair, _ = certificate(tmp_path / "proxy")
    with tunnel_proxy(api.port, kind, pair) as proxy:
        proxy.silent = True
        access = api.access(NAME, proxy=f"{kind}://127.0.0.1:{proxy.port}")
        begun = time.monotonic()
        sign_in(access)
        with ThreadPoolExecutor() as pool:
            plugin = pool.submit(run, PLUGIN, "--env", "demo")
            direct = pool.submit(checked_route, access)
            row = env_ls(access)
            done, error = plugin.result(), direct.exception()
        assert time.monotonic() - begun < SECONDS
    assert isinstance(error, UnreachableError)
    name = f"the proxy 127.0.0.1:{proxy.port} (proxy-url of environment demo, set by kubeconfig merge --proxy-url)"
    assert done.returncode == 4
    # env ls has one limit for all of its checks, which a busy machine may reach before the proxy's own
    assert "no answer within" in str(row["problem"])
    for text in (done.stderr, error.why):
        assert f"{name} does not connect to {NAME}:{api.port}" in text
        assert "no answer within" in text


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 Service Unavailable"])
def test_a_proxy_that_refuses_names_the_variable_and_the_remedy(
    api: TokenApi, proxy: TunnelProxy, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    proxy.answer = f"HTTP/1.1 {status}\r\n\r\n".encode()
    monkeypatch.setenv("https_proxy", f"http://ann:secret@127.0.0.1:{proxy.port}")
    access = api.access(NAME)
    row = env_ls(access)
    done = run(PLUGIN, "--env", "demo")
    remedy = "into https_proxy: http://USER:PASSWORD@" if status.startswith("407") else "add its address to NO_PROXY"
    for text in (done.stderr, str(row["problem"])):
        assert f"(https_proxy) does not connect to {NAME}:{api.port}: {status}" in text
        assert remedy in text
        assert "secret" not in text
    assert row["reachable"] is False


def test_a_proxy_that_is_down_does_not_hide_the_way_through_ssh(api: TokenApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    access = api.access(NAME, proxy=f"http://127.0.0.1:{port}")
    with pytest.raises(UnreachableError, match="nor through ssh") as caught:
        checked_route(access)
    assert f"cannot connect to the proxy 127.0.0.1:{port}" in caught.value.why
    assert "host1" in caught.value.why


@pytest.mark.parametrize("value", ["ftp://127.0.0.1:1", "http://ann:s3cret/x@127.0.0.1", "http://"])
def test_a_proxy_setting_that_is_not_one_is_named_by_every_way(
    api: TokenApi, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    access = api.access(NAME)
    row = env_ls(access)
    done = run(PLUGIN, "--env", "demo")
    with pytest.raises(UsageError, match="HTTPS_PROXY"):
        proxy_to(dirs(os.environ), "demo", access.server)
    with pytest.raises(UsageError, match="HTTPS_PROXY"):
        read(access)
    for text in (str(row["problem"]), done.stderr):
        assert "HTTPS_PROXY" in text
        assert "s3cret" not in text


def test_env_ls_of_an_environment_without_credentials_uses_the_variables(
    api: TokenApi, proxy: TunnelProxy, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    url = f"https://{NAME}:{api.port}"
    assert connect_problem(NAME, api.port, lambda: proxy_to(dirs(os.environ), "demo", url)) == ""
    assert proxy.asked == [f"{NAME}:{api.port}"]


def merged(home: Path) -> dict[str, object]:
    cluster: dict[str, object] = yaml.safe_load((home / ".kube/config").read_text())["clusters"][0]["cluster"]
    return cluster


def test_merge_stores_a_proxy_keeps_it_and_removes_it(api: TokenApi, proxy: TunnelProxy, home: Path) -> None:
    where = sign_in(api.access(NAME))
    (where.config / "environments" / "demo.yaml").touch()
    url = f"http://127.0.0.1:{proxy.port}"
    registry = Registry(where.config / "environments")
    assert run(CLI, "kubeconfig", "merge", "demo", "--proxy-url", url).returncode == 0
    assert run(CLI, "kubeconfig", "merge", "demo").returncode == 0
    assert (merged(home)["proxy-url"], registry.load("demo").proxy) == (url, url)
    assert f"proxy-url: {url}" in run(CLI, "kubeconfig", "show", "demo").stdout
    assert run(CLI, "kubeconfig", "merge", "demo", "--proxy-url", "").returncode == 0
    assert ("proxy-url" in merged(home), registry.load("demo").proxy) == (False, "")
    done = run(CLI, "kubeconfig", "merge", "demo", "--proxy-url", "ftp://x")
    assert (done.returncode, "--proxy-url names a proxy that is not supported" in done.stderr) == (2, True)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is the oracle")
def test_a_proxy_that_kubectl_config_wrote_is_kept_by_merge_and_used_by_the_plugin(
    api: TokenApi, proxy: TunnelProxy, home: Path, tmp_path: Path
) -> None:
    where = sign_in(api.access(NAME))
    (where.config / "environments" / "demo.yaml").touch()
    plugin = tmp_path / "rancherctl-credential"
    plugin.write_text(f'#!/bin/sh\nexec {sys.executable} -m rancherctl.credentials.plugin "$@"\n')
    plugin.chmod(0o755)
    assert run(CLI, "kubeconfig", "merge", "demo").returncode == 0
    config = home / ".kube/config"
    text = yaml.safe_load(config.read_text())
    text["users"][0]["user"]["exec"]["command"] = str(plugin)
    config.write_text(yaml.safe_dump(text))
    url = f"http://127.0.0.1:{proxy.port}"
    words = ["kubectl", "config", "set-cluster", "rancherctl-demo", "--proxy-url", url]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        ["kubectl", "get", "--raw", "/version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(proxy.asked) == {f"{NAME}:{api.port}"}
    assert (api.count("POST", 201), {status for _, _, status in api.requests}) == (1, {200, 201})
    assert run(CLI, "kubeconfig", "merge", "demo").returncode == 0
    assert merged(home)["proxy-url"] == url
    renewal = user_renewal(dirs(os.environ), pytest.fail)
    assert renewal.registry.load("demo").proxy == url
