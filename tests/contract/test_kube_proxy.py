"""API servers behind an HTTP proxy: proxy-url, HTTPS_PROXY and NO_PROXY as kubectl reads them."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rancherctl.credentials.kubeconfig import Target
from rancherctl.errors import UnreachableError, UsageError
from rancherctl.kube.client import PODS
from rancherctl.kube.connect import client, credentials
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.official import OfficialClient
from rancherctl.proxy.choice import proxy_for, uses_proxy
from tests.fakes.kube import FakeApi
from tests.fakes.proxy import VARIABLES, TunnelProxy, tunnel_proxy


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def proxy(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[TunnelProxy]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with tunnel_proxy(int(api.url.rpartition(":")[2])) as found:
        yield found


TARGET = Target("demo", "http://api.internal:6443")


def read(target: Target) -> None:
    with client(target, lambda _: True) as found:
        found.list(PODS)


def test_proxy_url_of_a_kubeconfig_is_used_with_its_credentials(proxy: TunnelProxy) -> None:
    read(replace(TARGET, proxy=f"http://ann:p%40ss@127.0.0.1:{proxy.port}"))
    assert proxy.heads == [
        [
            "CONNECT api.internal:6443 HTTP/1.1",
            "Host: api.internal:6443",
            f"Proxy-Authorization: Basic {base64.b64encode(b'ann:p@ss').decode()}",
        ]
    ]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_the_proxy_of_the_environment_is_used(proxy: TunnelProxy, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f"127.0.0.1:{proxy.port}")
    read(TARGET)
    assert [head[0] for head in proxy.heads] == ["CONNECT api.internal:6443 HTTP/1.1"]


def test_loopback_is_reached_directly(api: FakeApi, proxy: TunnelProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    read(replace(TARGET, server=api.url))
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("answer", "why", "hint"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required", "USER:PASSWORD"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden", "correct proxy-url"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it closed the connection", "correct proxy-url"),
    ],
    ids=["407", "403", "no proxy"],
)
def test_a_proxy_that_refuses_is_named_without_the_password(
    proxy: TunnelProxy, answer: bytes, why: str, hint: str
) -> None:
    proxy.answer = answer
    with pytest.raises(UnreachableError) as caught:
        read(replace(TARGET, proxy=f"http://ann:secret@127.0.0.1:{proxy.port}"))
    error = caught.value
    assert f"the proxy 127.0.0.1:{proxy.port} (proxy-url) does not connect to api.internal:6443" in error.what
    assert (why in error.why, hint in error.hint) == (True, True)
    assert "secret" not in f"{error.what} {error.why} {error.hint}"


def test_a_proxy_that_is_down_is_named(proxy: TunnelProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"cannot connect to the proxy 127.0.0.1:{port}"):
        read(replace(TARGET, proxy=f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    "url", ["socks4://10.0.0.1:1080", "ftp://proxy:21", "http://", "http://proxy:port", "socks5://[::1"]
)
def test_proxies_that_are_not_supported_are_errors(url: str) -> None:
    with pytest.raises(UsageError, match="proxy-url"):
        credentials(replace(TARGET, proxy=url), lambda _: True)


def test_the_official_client_uses_the_proxy_of_the_endpoint_and_no_other(
    proxy: TunnelProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        tunnel = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(UnreachableError):
        OfficialClient(ApiEndpoint(tunnel))
    assert proxy.heads == []
    through = proxy_for("", f"http://a:b@127.0.0.1:{proxy.port}", {})
    with OfficialClient(ApiEndpoint(TARGET.server, proxy=through)):
        pass
    assert proxy.heads[0][0] == "CONNECT api.internal:6443 HTTP/1.1"


@pytest.mark.parametrize(
    ("host", "no_proxy", "expected"),
    [
        ("api.example.com", "", True),
        ("localhost", "", False),
        ("127.8.8.8", "", False),
        ("::1", "", False),
        ("api.example.com", "*", False),
        ("api.example.com", "example.com", False),
        ("API.Example.COM", " Example.com ,x", False),
        ("example.com", "example.com", False),
        ("example.com", ".example.com", True),
        ("api.example.com", ".example.com", False),
        ("api.example.com", "*.example.com", False),
        ("notexample.com", "example.com", True),
        ("notexample.com", "*example.com", True),
        ("10.1.2.3", "::ffff:10.1.2.3", False),
        ("api.example.com", "example.com:6443", False),
        ("api.example.com", "example.com:443", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", False),
        ("10.1.2.3", "10.1.2.3:6443", False),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("10.1.2.3", "10.1.2.0", True),
        ("fd00::1", "fd00::/8", False),
        ("fd00::1", "[fd00::1]:6443", False),
        ("fd00::1", "fd00::1", False),
        ("10.example.com", "10.0.0.0/8", True),
        ("api.example.com", "10.0.0.0/99,,:6443", True),
    ],
)
def test_no_proxy_is_read_as_by_kubectl(host: str, no_proxy: str, expected: bool) -> None:
    assert uses_proxy(host, "6443", no_proxy) is expected


def test_proxy_url_takes_precedence_over_no_proxy() -> None:
    environ = {"HTTPS_PROXY": "http://other:1", "NO_PROXY": "*"}
    found = proxy_for("https://api.internal", "proxy.example.com", environ)
    assert found is not None
    assert (found.host, found.port) == ("proxy.example.com", 80)
    assert proxy_for("https://api.internal", "", environ) is None
