"""``rancherctl manifests`` with the official client, against the fake API: plan, apply, prune, remove."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import app
from tests.fakes.kube import FakeApi
from tests.fakes.signed_in import sign_in

CONFIGMAPS, ROLES = "/api/v1/configmaps", "/apis/rbac.authorization.k8s.io/v1/clusterroles"
Call = Callable[..., tuple[int, str, str]]
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "readers"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}


def config(name: str, value: str = "1", **meta: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}, "data": {"k": value}}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    api = FakeApi()
    sign_in(tmp_path, monkeypatch, api.url)
    for namespace in ("default", "shop"):
        api.store.put("/api/v1/namespaces", "", {"metadata": {"name": namespace}})
    yield api
    api.close()


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., str]:
    def write(*objects: dict[str, Any]) -> str:
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        (folder / "all.yaml").write_text("---\n".join(json.dumps(o) + "\n" for o in objects))
        (folder / "notes.txt").write_text("not a manifest")
        return str(folder)

    return write


@pytest.fixture
def call(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, str, str]:
        code = app.main(["--progress", "none", "manifests", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def changes(text: str) -> list[tuple[str, str, str, str]]:
    return [(r["change"], r["kind"], r["namespace"], r["name"]) for r in json.loads(text)["items"]]


def names(api: FakeApi, collection: str, namespace: str) -> list[str]:
    return sorted(
        o["metadata"]["name"] for (c, ns, _), o in api.store.objects.items() if (c, ns) == (collection, namespace)
    )


def test_a_dry_run_plans_and_changes_nothing(api: FakeApi, call: Call, files: Callable[..., str]) -> None:
    code, out, _ = call("apply", "web", "-f", files(config("a"), ROLE), "--dry-run", "-o", "json")
    assert code == 0
    assert changes(out) == [
        ("create", "ClusterRole", "", "readers"),
        ("create", "ConfigMap", "default", "a"),
        ("create", "ConfigMap", "default", "rancherctl-manifests-web"),
    ]
    assert names(api, CONFIGMAPS, "default") == []


def test_a_second_apply_changes_nothing_and_what_leaves_the_set_is_deleted(
    api: FakeApi, call: Call, files: Callable[..., str]
) -> None:
    assert call("apply", "web", "-f", files(config("a"), config("b"), ROLE), "-n", "shop")[0] == 0
    assert names(api, CONFIGMAPS, "shop") == ["a", "b", "rancherctl-manifests-web"]
    assert names(api, ROLES, "") == ["readers"]
    code, out, err = call("apply", "web", "-f", files(config("a"), config("b"), ROLE), "-n", "shop")
    assert (code, out, err) == (0, "", "set web is up to date\n")
    code, out, _ = call("apply", "web", "-f", files(config("a", "2"), ROLE), "-n", "shop", "-o", "json")
    assert [c for c in changes(out) if c[3] in ("a", "b")] == [
        ("update", "ConfigMap", "shop", "a"),
        ("delete", "ConfigMap", "shop", "b"),
    ]
    assert names(api, CONFIGMAPS, "shop") == ["a", "rancherctl-manifests-web"]


def test_a_namespace_in_the_manifest_is_kept(api: FakeApi, call: Call, files: Callable[..., str]) -> None:
    assert call("apply", "web", "-f", files(config("a", namespace="shop")))[0] == 0
    assert names(api, CONFIGMAPS, "shop") == ["a"]


def test_deleting_most_of_a_set_needs_permission(api: FakeApi, call: Call, files: Callable[..., str]) -> None:
    assert call("apply", "web", "-f", files(*(config(f"c{n}") for n in range(6))))[0] == 0
    code, _, err = call("apply", "web", "-f", files(config("c0")))
    assert (code, "refusing to delete 5 of 6 objects" in err, "--allow-deletes" in err) == (5, True, True)
    assert len(names(api, CONFIGMAPS, "default")) == 7
    assert call("apply", "web", "-f", files(config("c0")), "--allow-deletes")[0] == 0
    assert names(api, CONFIGMAPS, "default") == ["c0", "rancherctl-manifests-web"]


def test_fields_of_another_manager_are_taken_over_on_request_only(
    api: FakeApi, call: Call, files: Callable[..., str]
) -> None:
    api.store.apply(CONFIGMAPS, "default", "a", config("a", "theirs"), "someone", force=False, dry=False)
    code, _, err = call("apply", "web", "-f", files(config("a", "ours")))
    assert (code, "conflict" in err.lower()) == (5, True)
    assert call("apply", "web", "-f", files(config("a", "ours")), "--force-conflicts")[0] == 0
    assert api.store.get(CONFIGMAPS, "default", "a")["data"] == {"k": "ours"}


def test_rm_deletes_the_set_and_nothing_else(api: FakeApi, call: Call, files: Callable[..., str]) -> None:
    api.store.put(CONFIGMAPS, "default", {"metadata": {"name": "foreign"}})
    assert call("apply", "web", "-f", files(config("a"), ROLE))[0] == 0
    code, _, err = call("rm", "web")
    assert (code, "add --confirm web" in err) == (2, True)
    assert call("rm", "web", "--confirm", "web")[0] == 0
    assert (names(api, CONFIGMAPS, "default"), names(api, ROLES, "")) == (["foreign"], [])
    code, _, err = call("rm", "web", "--confirm", "web")
    assert (code, "set web not found in namespace default" in err) == (3, True)


def test_a_kind_that_the_api_does_not_serve_is_named(call: Call, files: Callable[..., str]) -> None:
    unknown = {"apiVersion": "example.org/v1", "kind": "Nope", "metadata": {"name": "x"}}
    code, _, err = call("apply", "web", "-f", files(unknown))
    assert (code, "does not serve Nope" in err) == (3, True)


@pytest.mark.parametrize("name", ["Web", "-a", "x" * 41, ""])
def test_names_of_sets_are_checked_before_anything_is_read(call: Call, files: Callable[..., str], name: str) -> None:
    code, _, err = call("apply", "-f", files(config("a")), "--", name)
    assert (code, "invalid name" in err) == (2, True)
