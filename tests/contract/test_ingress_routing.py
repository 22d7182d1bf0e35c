"""Golden routing cases (tests/data/ingress/CASE/case.yaml) against a real HAProxy, changed by runtime commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.ingress.translate import endpoints, merge
from rancherctl.ingress.translate.cache import TranslationCache
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import AT_ONCE

CASES = sorted((Path(__file__).parents[1] / "data" / "ingress").glob("*/case.yaml"))


def _ingress(data: dict[str, Any]) -> Any:
    rules = [(r.get("host", ""), r.get("type", ""), r.get("path", ""), r.get("to", "")) for r in data.get("rules", ())]
    extra = {k: data[k] for k in ("default", "created", "annotations") if k in data}
    return fake.ingress(data["name"], rules, class_name=data.get("class", "rancher"), **extra)


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fake.Haproxy]:
    haproxy = fake.Haproxy(tmp_path_factory.mktemp("haproxy"))
    yield haproxy
    haproxy.stop()


@pytest.fixture(scope="module")
def role(haproxy: fake.Haproxy) -> LbRole:
    """One role for all cases: each case is one more change of a running HAProxy."""
    return LbRole(
        LbConfig("h1", haproxy.listeners, paths=haproxy.paths, reloads=AT_ONCE, save_after=0.0), driver=haproxy.driver()
    )


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.parent.name)
def test_requests_are_routed_as_in_the_golden_case(
    path: Path, haproxy: fake.Haproxy, role: LbRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    case = yaml.safe_load(path.read_text())
    names = sorted({pod for pods in case["services"].values() for pod in pods})
    pods = {name: fake.Pod(name) for name in names}
    try:
        ingresses = [_ingress(i) for i in case["ingresses"]]
        conditions = case.get("conditions", {})
        slices = [
            fake.endpoint_slice(service, [pods[p].endpoint], **conditions.get(service, {}))
            for service, listed in case["services"].items()
            for p in listed
        ]
        role.reconcile(fake.snapshot(ingresses, [fake.service(s) for s in case["services"]], slices))
        wrong = [
            (host, url, want, got)
            for host, url, want in case["requests"]
            if (got := haproxy.answer(host, url)) != str(want)
        ]
        assert wrong == []
        translated = TranslationCache().translate_all({i.meta.key: i for i in ingresses}, {"rancher": fake.RANCHER})
        merged = merge.merge(translated)
        reasons = {
            k: sorted(p.reason for p in (*t.problems, *merged.problems.get(k, ()))) for k, t in translated.items()
        }
        assert {k: v for k, v in reasons.items() if v} == case.get("problems", {})
    finally:
        for pod in pods.values():
            pod.close()
