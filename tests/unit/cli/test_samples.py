"""Examples and the samples in documents can be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rancherctl.cli.docs.topics import ENVIRONMENT
from rancherctl.environments.inventory import load
from rancherctl.ingress.model import TlsName
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import ingress

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
    sample = objects["Ingress", "scalelb"]
    assert sample["metadata"]["annotations"]["scale"] == "2"
    rule = sample["spec"]["rules"][0]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("foo.bar.com", "/foo")


def test_the_tls_example_is_the_ingress_of_the_sample_with_a_secret_for_all_its_hosts() -> None:
    (secured,) = yaml.safe_load_all((EXAMPLES / "tls.yaml").read_text(encoding="utf-8"))
    stored = secured["metadata"] | {"namespace": "default", "uid": "1", "resourceVersion": "1"}
    translated = translate(ingress(secured | {"metadata": stored}))
    assert translated.tls == (TlsName("foo.bar.com", "foo.bar.com", "default/foo-bar-com"),)
    assert translated.problems == ()
    del secured["spec"]["tls"]
    assert secured in yaml.safe_load_all((EXAMPLES / "sample.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "name"), [("Deployment", "web"), ("StatefulSet", "mdb")])
def test_workloads_are_selected_by_their_services(kind: str, name: str) -> None:
    objects = list(yaml.safe_load_all((EXAMPLES / "sample.yaml").read_text(encoding="utf-8")))
    workload = next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert any(o["kind"] == "Service" and o["spec"]["selector"] == labels for o in objects)
