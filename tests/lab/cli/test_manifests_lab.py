"""``rancherctl manifests`` on a real environment: custom kinds, an empty second plan, pruning and removal."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.support import Environment

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: Namespace
metadata: {name: widgets}
"""
WIDGET = """\
apiVersion: example.org/v1
kind: Widget
metadata: {name: NAME}
spec: {size: 1}
"""


def test_a_set_of_any_kinds_is_applied_pruned_and_removed(shared: Environment, tmp_path: Path) -> None:
    definition, widgets = tmp_path / "definition.yaml", tmp_path / "widgets.yaml"
    definition.write_text(DEFINITION)
    widgets.write_text("---\n".join(WIDGET.replace("NAME", name) for name in ("a", "b")))

    def manifests(*words: str) -> list[tuple[str, str, str]]:
        done = shared.rancherctl("manifests", *words, "-o", "json")
        assert done.returncode == 0, done.stderr
        return [(item["change"], item["kind"], item["name"]) for item in json.loads(done.stdout)["items"]]

    apply = ("apply", "widgets", "-n", "widgets", "-f", str(widgets))
    try:
        manifests("apply", "definition", "-f", str(definition))
        shared.kubectl("wait", "--for=condition=Established", "crd/widgets.example.org", "--timeout=30s")
        assert [c for c in manifests(*apply) if c[1] == "Widget"] == [
            ("create", "Widget", "a"),
            ("create", "Widget", "b"),
        ]
        assert manifests(*apply) == [], "defaults and fields of the server are not differences"
        widgets.write_text(WIDGET.replace("NAME", "a"))
        assert ("delete", "Widget", "b") in manifests(*apply)
        assert shared.kubectl("get", "widgets", "-n", "widgets", "-o", "name").split() == ["widget.example.org/a"]
        assert ("delete", "Widget", "a") in manifests("rm", "widgets", "-n", "widgets", "--confirm", "widgets")
        assert shared.kubectl("get", "widgets", "-n", "widgets", "-o", "name").split() == []
    finally:
        shared.rancherctl("manifests", "rm", "definition", "--confirm", "definition")
