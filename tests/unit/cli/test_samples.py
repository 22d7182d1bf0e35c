"""Examples and the samples in documents can be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rancherctl.cli.docs.topics import ENVIRONMENT
from rancherctl.environments.inventory import load

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def test_the_environment_example_loads_without_a_warning() -> None:
    loaded = load((EXAMPLES / "environment.yaml").read_text(encoding="utf-8"), "environment.yaml")
    assert [host.name for host in loaded.environment.hosts] == ["h1", "h2", "h3"]
    assert loaded.warnings == ()


def test_the_environment_of_the_help_topic_loads() -> None:
    sample = ENVIRONMENT.split("\n\n")[1]
    assert load(sample, "help").environment.name == "prod"


def test_the_sample_application_is_what_the_demo_promises() -> None:
    objects = {
        (o["kind"], o["metadata"]["name"]): o
        for o in yaml.safe_load_all((EXAMPLES / "sample.yaml").read_text(encoding="utf-8"))
    }
    assert objects["StatefulSet", "mdb"]["spec"]["serviceName"] == "mongodb"
    assert "clusterIP" not in objects["Service", "mongodb"]["spec"]
    ingress = objects["Ingress", "scalelb"]
    assert ingress["metadata"]["annotations"]["scale"] == "2"
    rule = ingress["spec"]["rules"][0]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("foo.bar.com", "/foo")


@pytest.mark.parametrize(("kind", "name"), [("Deployment", "web"), ("StatefulSet", "mdb")])
def test_workloads_are_selected_by_their_services(kind: str, name: str) -> None:
    objects = list(yaml.safe_load_all((EXAMPLES / "sample.yaml").read_text(encoding="utf-8")))
    workload = next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert any(o["kind"] == "Service" and o["spec"]["selector"] == labels for o in objects)
