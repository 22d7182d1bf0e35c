"""Exec-credential plug-ins of kubeconfig files: which may run, their input, and how their output is parsed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rancherctl.credentials.execplugin import Plugin
from rancherctl.credentials.kubeconfig import Exec, Target, merge, resolve
from rancherctl.credentials.kubeconfig_files import read
from rancherctl.credentials.registry import Access
from rancherctl.credentials.user_stores import user_registry
from rancherctl.errors import AuthError, RefusedError
from rancherctl.settings import dirs

V1 = "client.authentication.k8s.io/v1"


def target(tmp_path: Path, script: str, **changes: Any) -> Target:
    program = tmp_path / str(changes.pop("name", "plug"))
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    fields: dict[str, Any] = {
        "command": str(program),
        "args": ("a b",),
        "env": (("GIVEN", "x"),),
        "api_version": V1,
        "interactive": "Never",
        "install_hint": "get it\nthere",
        "provide_cluster_info": False,
        "source": tmp_path / "config",
    }
    return Target("ctx", "https://10.0.0.1:6443", ca=b"PEM", exec=Exec(**{**fields, **changes}))


def answer(token: str = "tok", until: str = "", **status: str) -> str:
    body = {"token": token, **({"expirationTimestamp": until} if until else {}), **status}
    return (
        "echo run >> $0.runs; cat <<'END'\n"
        + json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": body})
        + "\nEND"
    )


def runs(tmp_path: Path) -> int:
    file = tmp_path / "plug.runs"
    return len(file.read_text().split()) if file.exists() else 0


def always(_: Path) -> bool:
    return True


def never(_: Path) -> bool:
    return False


def test_a_plugin_runs_once_until_its_credential_expires(tmp_path: Path) -> None:
    now = [0.0]
    plugin = Plugin(target(tmp_path, answer(until="1970-01-01T01:00:00Z")), always, wall=lambda: now[0])
    assert [plugin(), plugin()] == ["tok", "tok"]
    assert runs(tmp_path) == 1
    now[0] = 3595.0
    plugin()
    assert runs(tmp_path) == 2
    assert "'tok'" not in repr(plugin.credential())


def test_a_credential_without_expiry_is_kept_for_the_process(tmp_path: Path) -> None:
    plugin = Plugin(target(tmp_path, answer()), always, wall=lambda: 1e12)
    plugin()
    plugin()
    assert runs(tmp_path) == 1


def test_a_plugin_gets_its_environment_and_the_cluster(tmp_path: Path) -> None:
    script = 'printf "%s|%s|%s" "$1" "$GIVEN" "$KUBERNETES_EXEC_INFO" > $0.input; ' + answer()
    Plugin(target(tmp_path, script, provide_cluster_info=True), always)()
    argument, given, info = (tmp_path / "plug.input").read_text().split("|")
    assert (argument, given) == ("a b", "x")
    spec = json.loads(info)["spec"]
    assert spec == {
        "interactive": False,
        "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": "UEVN"},
    }
    Plugin(target(tmp_path, script), always)()
    assert "cluster" not in json.loads((tmp_path / "plug.input").read_text().split("|")[2])["spec"]


def test_a_plugin_of_a_foreign_file_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="not run"):
        Plugin(target(tmp_path, answer()), never)()
    assert runs(tmp_path) == 0


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The own plug-in, with the API that its token is for."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python3"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    user_registry(dirs(os.environ)).save(Access("prod", "https://10.0.0.1:6443", "PEM", "me", "s"))
    return target(tmp_path, answer(), name="rancherctl-credential", env=(), args=("--env", "prod"))


def test_the_own_plugin_runs_for_any_file(tmp_path: Path, mine: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Plugin(mine, never)() == "tok"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert mine.exec
    assert Plugin(replace(mine, exec=replace(mine.exec, command="rancherctl-credential")), never)() == "tok"


@pytest.mark.parametrize(
    "changes",
    [
        {"server": "https://192.0.2.66:6443"},
        {"ca": b"THEIRS"},
        {"ca": None},
        {"insecure": True},
        {"server_name": "evil.example"},
        {"proxy": "http://192.0.2.66:3128"},
        {"args": ("--env", "prod", "--revoke")},
        {"args": ("--revoke", "prod")},
        {"args": ("--env", "other")},
        {"args": ("--env", "../prod")},
    ],
)
def test_a_foreign_file_gets_no_token_sent_elsewhere_and_ends_no_session(
    tmp_path: Path, mine: Target, changes: dict[str, Any]
) -> None:
    assert mine.exec
    changed = replace(mine, exec=replace(mine.exec, **changes)) if "args" in changes else replace(mine, **changes)
    with pytest.raises(RefusedError, match="not run"):
        Plugin(changed, never)()
    assert not (tmp_path / "rancherctl-credential.runs").exists()
    assert Plugin(changed, always)() == "tok"


def test_a_program_with_only_the_name_of_the_own_plugin_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="not run"):
        Plugin(target(tmp_path, answer(), name="rancherctl-credential", env=()), never)()


def test_the_own_plugin_with_variables_of_a_foreign_file_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python3"))
    with pytest.raises(RefusedError, match="not run"):
        Plugin(target(tmp_path, answer(), name="rancherctl-credential", env=(("PYTHONPATH", "/tmp/theirs"),)), never)()


def test_certificates_are_credentials_too(tmp_path: Path) -> None:
    found = Plugin(target(tmp_path, answer("", clientCertificateData="CRT", clientKeyData="KEY")), always).credential()
    assert (found.cert, found.key) == (b"CRT", b"KEY")
    assert "KEY" not in repr(found)


@pytest.mark.parametrize(
    ("script", "changes", "message"),
    [
        ("exit 3", {}, "exit status 3"),
        ("echo nonsense", {}, "an invalid credential"),
        ("echo '[]'", {}, "an invalid credential"),
        (answer(""), {}, "neither a token"),
        (answer(until="soon"), {}, "an invalid credential"),
        (answer().replace("ExecCredential", "Other"), {}, "an unexpected credential"),
        (answer(), {"api_version": "client.authentication.k8s.io/v1beta1"}, "an unexpected credential"),
        (answer(), {"api_version": "client.authentication.k8s.io/v1alpha1"}, "is not supported"),
        (answer(), {"command": "/nonexistent/plug"}, "not installed"),
        (answer(), {"interactive": "Always"}, "needs a terminal"),
    ],
)
def test_failures_of_a_plugin_name_the_plugin_and_the_reason(
    tmp_path: Path, script: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AuthError, match=message):
        Plugin(target(tmp_path, script, **changes), always)()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Callable[[Target], Any]:
    """kube.connect with the REST client replaced by what it was given."""
    from rancherctl.kube import connect

    monkeypatch.setattr(connect, "RestClient", lambda server, token: (server, token))
    return lambda t: connect.client(t, always)


def test_a_token_file_takes_precedence_over_a_token_and_is_read_at_each_use(
    tmp_path: Path, client: Callable[[Target], Any]
) -> None:
    from rancherctl.secret import Secret

    file = tmp_path / "token"
    _, read = client(Target("c", "https://x", token=Secret("fixed"), token_file=file))
    assert read() == "fixed"
    file.write_text("one\n")
    assert read() == "one"
    file.write_text("two\n")
    assert read() == "two"
    _, alone = client(Target("c", "https://x", token_file=tmp_path / "none"))
    with pytest.raises(AuthError, match="cannot be read"):
        alone()


def test_a_token_file_that_a_foreign_file_names_is_not_read(tmp_path: Path) -> None:
    from rancherctl.kube import connect

    (tmp_path / "secret").write_text("anything of mine")
    theirs = Target("c", "https://192.0.2.66", token_file=tmp_path / "secret", source=tmp_path / "config")
    with pytest.raises(RefusedError, match="was not read"):
        connect.client(theirs, never)
    connect.client(theirs, always).close()


def test_a_plugin_returns_tokens_or_a_certificate(tmp_path: Path, client: Callable[[Target], Any]) -> None:
    server, token = client(target(tmp_path, answer()))
    assert token() == "tok"
    assert server.url == "https://10.0.0.1:6443"
    server, token = client(target(tmp_path, answer("", clientCertificateData="CRT", clientKeyData="KEY")))
    assert (server.cert, server.key, token()) == (b"CRT", b"KEY", "")


CLUSTER = """apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: u}}]
clusters:
- name: a
  cluster:
    server: https://127.0.0.1:1/prefix
    SETTINGS
    extensions:
    - {name: other, extension: {x: 1}}
    - {name: client.authentication.k8s.io/exec, extension: {audience: [a, 1], on: true}}
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./plug
      interactiveMode: Never
      provideClusterInfo: true
"""


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is the oracle")
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("more", ["", "provideClusterInfo: false", "interactiveMode: IfAvailable"])
@pytest.mark.parametrize(
    "settings",
    [
        "certificate-authority: ca.pem",
        "tls-server-name: api.example.com",
        "insecure-skip-tls-verify: true",
        "proxy-url: http://127.0.0.1:1",
    ],
)
def test_a_plugin_gets_the_same_cluster_as_from_kubectl(tmp_path: Path, settings: str, version: str, more: str) -> None:
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -subj /CN=ca -days 1"
    subprocess.run(make.split(), cwd=tmp_path, capture_output=True, check=True, timeout=60)
    text = CLUSTER.replace("SETTINGS", settings).replace("k8s.io/v1\n", f"k8s.io/{version}\n")
    if more:
        text = re.sub(rf"{more.split(':', maxsplit=1)[0]}: .*", more, text)
    (tmp_path / "config").write_text(text)
    script = answer().replace(V1, f"client.authentication.k8s.io/{version}")
    (tmp_path / "plug").write_text(f'#!/bin/sh\nprintf "%s" "$KUBERNETES_EXEC_INFO" > {tmp_path}/info\n{script}\n')
    (tmp_path / "plug").chmod(0o755)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "config")}
    words = ["kubectl", "get", "--raw", "/version", "--request-timeout", "1s"]
    subprocess.run(words, env=env, capture_output=True, check=False, timeout=60)
    expected = json.loads((tmp_path / "info").read_text())
    (tmp_path / "info").unlink()
    Plugin(resolve(merge(read([tmp_path / "config"]))), always)()
    assert json.loads((tmp_path / "info").read_text()) == expected


def test_a_certificate_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = replace(target(tmp_path, answer(), provide_cluster_info=True), ca=tmp_path / "ca.pem")
    with pytest.raises(AuthError, match=r"cannot read the certificate authority .*ca\.pem"):
        Plugin(missing, always)()
