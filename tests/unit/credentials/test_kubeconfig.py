"""kubeconfig files are resolved as by kubectl, which is the oracle; untrusted files are bounded."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancherctl.credentials import documents
from rancherctl.credentials.kubeconfig import Kubeconfig, merge, paths, resolve
from rancherctl.credentials.kubeconfig_files import read, trusted, update
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError

KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(not KUBECTL, reason="kubectl is the oracle")


def kubectl(value: str, *words: str) -> subprocess.CompletedProcess[str]:
    assert KUBECTL
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": value}
    return subprocess.run([KUBECTL, "config", *words], env=env, capture_output=True, text=True, timeout=60, check=False)


def seen(config: Kubeconfig) -> dict[str, Any]:
    return {
        "clusters": {n: e.value for n, e in config.clusters.items()},
        "users": {n: e.value for n, e in config.users.items()},
        "contexts": {n: {"cluster": "", "user": "", **e.value} for n, e in config.contexts.items()},
        "current": config.current,
    }


def oracle(value: str) -> dict[str, Any] | None:
    done = kubectl(value, "view", "--raw", "-o", "json")
    if done.returncode:
        return None
    data = json.loads(done.stdout)
    out: dict[str, Any] = {"current": data["current-context"]}
    for kind, inner in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
        out[kind] = {row["name"]: row[inner] for row in data[kind] or ()}
    return out


def ours(value: str) -> dict[str, Any] | None:
    try:
        return seen(merge(read(paths("", {"KUBECONFIG": value}))))
    except (UsageError, InvalidInputError):
        return None


A = """
apiVersion: v1
kind: Config
clusters:
- {name: c1, cluster: {server: "https://a"}}
- {name: dup, cluster: {server: "https://first"}}
contexts:
- {name: x1, context: {cluster: c1, user: u1}}
current-context: ""
"""
B = """
apiVersion: v1
kind: Config
clusters:
- {name: c2, cluster: {server: "https://b", extensions: [{name: e, extension: {z: 1}}]}}
- {name: dup, cluster: {server: "https://second", insecure-skip-tls-verify: true, tls-server-name: nn}}
users:
- {name: u2, user: {token: t}}
contexts:
- {name: x1, context: {cluster: c2, namespace: ns}}
- {name: x2, context: {cluster: c2, user: u2}}
current-context: x2
"""


@needs_kubectl
@pytest.mark.parametrize(
    "order", [("a", "b"), ("b", "a"), ("a", "missing", "", "b"), ("b", "b"), ("empty", "a"), ("missing",)]
)
def test_several_files_are_merged_as_in_kubectl(tmp_path: Path, order: tuple[str, ...]) -> None:
    for name, text in (("a", A), ("b", B), ("empty", "")):
        (tmp_path / name).write_text(text)
    value = os.pathsep.join(str(tmp_path / n) if n else "" for n in order)
    wanted = oracle(value)
    assert wanted is not None
    assert ours(value) == wanted


names = st.sampled_from(["a", "b", "c"])
rows = st.dictionaries(names, st.sampled_from(["https://1", "https://2"]), max_size=3)
config = st.fixed_dictionaries({"clusters": rows, "contexts": rows, "current": st.sampled_from(["", "a", "zz"])})


@needs_kubectl
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(config, min_size=1, max_size=3))
def test_random_files_are_merged_as_in_kubectl(tmp_path: Path, files: list[dict[str, Any]]) -> None:
    for i, f in enumerate(files):
        text = {
            "clusters": [{"name": n, "cluster": {"server": s}} for n, s in f["clusters"].items()],
            "contexts": [{"name": n, "context": {"cluster": s}} for n, s in f["contexts"].items()],
            "current-context": f["current"],
        }
        (tmp_path / str(i)).write_text(json.dumps(text))
    value = os.pathsep.join(str(tmp_path / str(i)) for i in range(len(files)))
    assert ours(value) == oracle(value)


@needs_kubectl
@pytest.mark.parametrize(
    "text",
    [
        "foo: [\n",
        "- a\n",
        "users: [{name: 5, user: {token: 12}}]\n",
        "kind: Foo\napiVersion: v9\n",
        "clusters: [{name: a, cluster: {}}, {name: a, cluster: {}}]\n",
        "clusters: 5\n",
    ],
)
def test_files_that_kubectl_rejects_are_rejected(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    assert oracle(str(tmp_path / "f")) is None
    assert ours(str(tmp_path / "f")) is None


def test_a_folder_is_not_a_kubeconfig_file(tmp_path: Path) -> None:
    assert ours(str(tmp_path)) is None


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


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB.encode(), "aliases expand to"),
        (b"a: &a {b: *a}\n", "contains itself"),
        (b"x" * (documents.LARGEST + 1), "too large"),
        (b"a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        (b"[" * 5_000, "not valid YAML"),
        (b"\xff\xfe\xff", "not valid YAML"),
    ],
)
def test_oversized_and_malicious_yaml_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        documents.load_first(data, "file")


def test_yaml_errors_name_line_and_column() -> None:
    with pytest.raises(UsageError, match="file:2:"):
        documents.load_first(b"a: 1\n b: [\n", "file")


def test_ordinary_yaml_aliases_work(tmp_path: Path) -> None:
    text = """a: &a {server: "https://x"}
clusters: [{name: q, cluster: *a},{name: r, cluster: {<<: *a, tls-server-name: t}}]
"""
    (tmp_path / "f").write_text(text)
    assert merge(read([tmp_path / "f"])).clusters["r"].value == {"server": "https://x", "tls-server-name": "t"}


odd = [
    "y",
    "n",
    "no",
    "on",
    "1e3",
    "0x1f",
    "12:34",
    "2020-01-01",
    "null",
    "~",
    "",
    " x",
    "a: b",
    "#x",
    "é",
    "0755",
    "1_000",
    "=",
    "<<",
]
tricky = st.sampled_from(odd)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5) | tricky,
        tricky | st.text(max_size=8) | st.integers() | st.booleans() | st.none(),
        max_size=5,
    )
)
def test_written_yaml_reads_back_equal(value: dict[str, Any]) -> None:
    assert documents.load_first(documents.dump(value), "x")[0] == value


@needs_kubectl
def test_strings_that_look_like_other_types_stay_strings_for_kubectl(tmp_path: Path) -> None:
    looks = [
        *odd,
        "1e3",
        "-1E+3",
        "+.5",
        "08",
        "0o17",
        "0b1",
        "1.5e300",
        "1.",
        "+1",
        ".inf",
        ".NaN",
        "1e",
        "0x",
        "0.1.2",
        "10.0.0.1",
    ]
    users = [{"name": f"user {number}", "user": {"token": text}} for number, text in enumerate(looks)]
    (tmp_path / "f").write_bytes(documents.dump({"apiVersion": "v1", "kind": "Config", "users": users}))
    done = kubectl(str(tmp_path / "f"), "view", "--raw", "-o", "json")
    assert done.returncode == 0, done.stderr
    read_back = {row["name"]: row["user"].get("token", "") for row in json.loads(done.stdout)["users"]}
    assert read_back == {row["name"]: row["user"]["token"] for row in users}


def test_only_the_users_own_files_may_run_plugins(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    own, elsewhere, open_to_all = home / ".kube/config", tmp_path / "download", home / ".kube/shared"
    for f in (own, elsewhere, open_to_all):
        f.write_text("")
        f.chmod(0o600)
    open_to_all.chmod(0o666)
    assert trusted(own, (), home)
    assert not trusted(elsewhere, (), home)
    assert trusted(elsewhere, (elsewhere,), home)
    assert not trusted(open_to_all, (open_to_all,), home)
    assert not trusted(home / ".kube/none", (), home)
    (home / ".kube/link").symlink_to(elsewhere)
    assert not trusted(home / ".kube/link", (), home)


ONE = """apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://a"}}]
contexts: [{name: a, context: {cluster: a, user: ""}}]
current-context: a
"""


@needs_kubectl
@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}---\n",
        f"---\n{ONE}",
        f"{ONE}...\n",
        f"{ONE}---\n# nothing\n---\n",
        f"{ONE}---\n{ONE.replace('name: a', 'name: b')}",
        f"---\n---\n{ONE}",
        f"{ONE}---\nclusters: [\n",
        f"{ONE}--- garbage: [\n",
        "---\n",
    ],
    ids=["end", "start", "dots", "comment", "two", "empty first", "invalid second", "garbage", "only a separator"],
)
def test_the_first_of_several_documents_counts_as_in_kubectl(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    expected = oracle(str(tmp_path / "config"))
    assert expected is not None
    assert ours(str(tmp_path / "config")) == expected


def test_a_file_of_several_documents_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    for text in (f"{ONE}---\n{ONE}", f"{ONE}---\nclusters: [\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match="several documents"):
            update(path, lambda data: {**data, "current-context": ""}, print)
        assert path.read_text() == text


def test_a_separator_at_the_end_of_a_file_does_not_prevent_changes(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"{ONE}---\n# the end\n")
    assert update(path, lambda data: {**data, "current-context": ""}, print)
    assert read([path])[0].data["current-context"] == ""


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


def test_a_kubeconfig_file_may_be_read_from_a_pipe() -> None:
    reader, writer = os.pipe()
    os.write(writer, ONE.encode())
    os.close(writer)
    try:
        assert resolve(merge(read([Path(f"/dev/fd/{reader}")]))).server == "https://a"
    finally:
        os.close(reader)


def test_a_pipe_is_not_changed_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config")
    with pytest.raises(UsageError, match="cannot be changed"):
        update(tmp_path / "config", lambda data: data, print)
    assert [p.name for p in tmp_path.iterdir()] == ["config"]
