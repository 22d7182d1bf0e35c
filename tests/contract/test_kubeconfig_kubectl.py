"""kubeconfig files are read, merged and written as by kubectl, which is the oracle."""

from __future__ import annotations

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
from rancherctl.credentials.kubeconfig import Kubeconfig, merge, paths
from rancherctl.credentials.kubeconfig_files import read, update
from rancherctl.credentials.stanzas import Stanza, merged, without
from rancherctl.errors import InvalidInputError, UsageError

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
    users: list[dict[str, Any]] = [{"name": f"user {n}", "user": {"token": text}} for n, text in enumerate(looks)]
    (tmp_path / "f").write_bytes(documents.dump({"apiVersion": "v1", "kind": "Config", "users": users}))
    done = kubectl(str(tmp_path / "f"), "view", "--raw", "-o", "json")
    assert done.returncode == 0, done.stderr
    read_back = {row["name"]: row["user"].get("token", "") for row in json.loads(done.stdout)["users"]}
    assert read_back == {row["name"]: row["user"]["token"] for row in users}


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


DEMO = Stanza("demo", "https://10.0.0.1:6443", "PEM\n", "uid-1")


FOREIGN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://w"}, "unknown": 1}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "demo", "context": {"cluster": "work", "user": "me"}}],
    "current-context": "demo",
    "preferences": {"colors": True},
    "future-field": {"a": [1, 2]},
}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl reads what we wrote")
def test_kubectl_reads_and_changes_a_merged_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(documents.dump(FOREIGN | {"current-context": "y"}))
    update(path, lambda d: merged(d, DEMO, "no", use=False)[0], print)
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": str(path)}
    kubectl = str(shutil.which("kubectl"))
    subprocess.run([kubectl, "config", "use-context", "no"], env=env, check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        [kubectl, "config", "view", "--raw", "--minify", "-o", "json"],
        env=env,
        check=True,
        capture_output=True,
        timeout=60,
    )
    data = json.loads(done.stdout)
    assert data["clusters"][0]["cluster"]["server"] == DEMO.server
    assert data["users"][0]["user"]["exec"]["command"] == "rancherctl-credential"
    update(path, lambda d: without(d, "demo"), print)
    left = documents.load_first(path.read_bytes(), "x")[0]
    assert [c["name"] for c in left["contexts"]] == ["demo"]
    assert left["current-context"] == ""
