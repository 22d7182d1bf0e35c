"""kubeconfig files are found and merged, and contexts resolved."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from rancherctl.credentials.kubeconfig import merge, paths, resolve
from rancherctl.credentials.kubeconfig_files import read
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError


def test_the_kubeconfig_files_are_found_as_in_kubectl(tmp_path: Path) -> None:
    here = Path.cwd()
    assert paths("x", {"KUBECONFIG": "a"}) == (here / "x",)
    assert paths("", {"KUBECONFIG": "/a::b:/a"}) == (Path("/a"), here / "b")
    assert paths("", {"HOME": "/h"}) == (Path("/h/.kube/config"),)
    with pytest.raises(NotFoundError):
        read([tmp_path / "none"], required=True)


def test_relative_paths_belong_to_their_file(tmp_path: Path) -> None:
    text = """
clusters: [{name: c, cluster: {server: "https://a", certificate-authority: ca.crt}}]
users: [{name: u, user: {client-certificate: ../x.crt, client-key: /k, tokenFile: tok,
  exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/p}}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: n}}]
current-context: x
"""
    (tmp_path / "f").write_text(text)
    target = resolve(merge(read([tmp_path / "f"])))
    assert target.ca == tmp_path / "ca.crt"
    assert target.cert == tmp_path / "../x.crt"
    assert target.key == Path("/k")
    assert target.token_file == tmp_path / "tok"
    assert target.namespace == "n"
    assert target.exec
    assert target.exec.command == str(tmp_path / "bin/p")


def test_inline_data_takes_precedence_over_paths_and_secrets_are_not_printed(tmp_path: Path) -> None:
    data = base64.b64encode(b"PEM").decode()
    text = {
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": "https://a", "certificate-authority": "x", "certificate-authority-data": data},
            }
        ],
        "users": [{"name": "u", "user": {"token": "s3cret", "client-key-data": data}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "f").write_text(json.dumps(text))
    merged = merge(read([tmp_path / "f"]))
    target = resolve(merged, "x")
    assert target.ca == b"PEM"
    assert target.token == "s3cret"
    assert "s3cret" not in repr((merged, target))
    assert "PEM" not in repr(target.key) or "key=" not in repr(target)


@pytest.mark.parametrize(
    ("context", "error"),
    [
        ("none", NotFoundError),
        ("nocluster", NotFoundError),
        ("nouser", NotFoundError),
        ("badtoken", InvalidInputError),
        ("badca", InvalidInputError),
    ],
)
def test_contexts_without_cluster_or_user_are_errors(tmp_path: Path, context: str, error: type[Exception]) -> None:
    text = """
clusters:
- {name: c, cluster: {server: "https://a"}}
- {name: bad, cluster: {server: "https://a", certificate-authority-data: "%%%"}}
users: [{name: u, user: {token: 5}}]
contexts:
- {name: nocluster, context: {cluster: zz}}
- {name: nouser, context: {cluster: c, user: zz}}
- {name: badtoken, context: {cluster: c, user: u}}
- {name: badca, context: {cluster: bad}}
"""
    (tmp_path / "f").write_text(text)
    with pytest.raises(error):
        resolve(merge(read([tmp_path / "f"])), context)


def test_a_missing_current_context_is_an_error() -> None:
    with pytest.raises(NotFoundError, match="no current context"):
        resolve(merge(()))


def test_ordinary_yaml_aliases_work(tmp_path: Path) -> None:
    text = """a: &a {server: "https://x"}
clusters: [{name: q, cluster: *a},{name: r, cluster: {<<: *a, tls-server-name: t}}]
"""
    (tmp_path / "f").write_text(text)
    assert merge(read([tmp_path / "f"])).clusters["r"].value == {"server": "https://x", "tls-server-name": "t"}


ONE = """apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://a"}}]
contexts: [{name: a, context: {cluster: a, user: ""}}]
current-context: a
"""


@pytest.mark.parametrize(
    ("provider", "why", "hint"),
    [
        ("gcp", "kubectl 1.26 removed", "gke-gcloud-auth-plugin"),
        ("azure", "kubectl 1.26 removed", "kubelogin convert-kubeconfig"),
        ("oidc", "exec plug-ins replace", "kubectl oidc-login"),
        ("mine", "exec plug-ins replace", "exec plug-in"),
    ],
)
def test_an_auth_provider_is_refused_with_its_replacement(tmp_path: Path, provider: str, why: str, hint: str) -> None:
    path = tmp_path / "config"
    user = f"users: [{{name: u, user: {{auth-provider: {{name: {provider}, config: {{access-token: s3cret}}}}}}}}]\n"
    path.write_text(ONE.replace('user: ""', "user: u") + user)
    with pytest.raises(UsageError) as caught:
        resolve(merge(read([path])))
    error = caught.value
    assert error.what == f"{path}: user u: auth-provider {provider} is not supported"
    assert (why in error.why, hint in error.hint) == (True, True)
    assert "s3cret" not in f"{error.what} {error.why} {error.hint}"


def test_a_context_of_another_user_works_beside_an_auth_provider(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"{ONE}users: [{{name: u, user: {{auth-provider: {{name: gcp}}}}}}]\n")
    assert resolve(merge(read([path]))).server == "https://a"
