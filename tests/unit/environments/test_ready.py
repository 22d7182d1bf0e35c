"""The end of an apply: nodes that never join drop out, and the others are completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rancherctl.contract import LOAD_BALANCER_LABEL
from rancherctl.environments import nodes, reconcile
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.manifests.base import record
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.phases.objects import OBJECTS, EnvironmentObjects
from rancherctl.environments.phases.ready import READY
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.preflight import Checked
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import NotFoundError, RefusedError, TimeoutExceededError, UnreachableError
from rancherctl.kube.objects import Meta, Node

ENVIRONMENT = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.0.13"]).environment
Condition = Callable[[Mapping[str, Node]], bool]


class NodesApi:
    """A client whose Nodes are these: name → whether Ready. What is patched is remembered."""

    def __init__(self, **ready: bool | None) -> None:
        self.nodes = {
            name: Node(Meta("", name), (("InternalIP", "10.0.0.9"),), (), value, False) for name, value in ready.items()
        }
        self.patched: dict[str, Any] = {}

    def patch(self, _resource: object, name: str, body: Any) -> None:
        self.patched[name] = body


def finish(api: NodesApi, monkeypatch: pytest.MonkeyPatch) -> EnvironmentRun:
    """Run the last phase; no wait takes any time."""

    def wait(client: NodesApi, _names: frozenset[str], condition: Condition, timeout: float) -> Mapping[str, Node]:
        if not condition(client.nodes):
            raise TimeoutExceededError(f"nodes are not Ready after {timeout:.0f} s", hint="look there")
        return client.nodes

    monkeypatch.setattr(nodes, "wait", wait)
    run = EnvironmentRun(ENVIRONMENT, Context(lambda _: None, None), ObservedHosts({}))  # type: ignore[arg-type, return-value]
    monkeypatch.setattr(run, "client", lambda: api)
    monkeypatch.setattr(run, "nodes", lambda: api.nodes)
    monkeypatch.setattr(run, "hosts", lambda: ENVIRONMENT.hosts)
    READY.apply(run, PhasePlan("ready", "", ()))
    return run


def test_a_node_that_never_joins_does_not_keep_the_others_from_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    api = NodesApi(h1=True, h2=True)
    run = finish(api, monkeypatch)
    assert set(api.patched) == {"h1", "h2"}
    assert LOAD_BALANCER_LABEL in api.patched["h2"]["metadata"]["labels"]
    assert {name: str(error).splitlines()[0] for name, error in run.failures.items()} == {
        "h3": "h3 is late: its kubelet has not registered it"
    }


def test_a_node_that_joins_and_is_never_ready_drops_out(monkeypatch: pytest.MonkeyPatch) -> None:
    api = NodesApi(h1=True, h2=False)
    run = finish(api, monkeypatch)
    assert set(api.patched) == {"h1", "h2"}
    assert set(run.failures) == {"h2", "h3"}


@pytest.mark.parametrize("api", [NodesApi(), NodesApi(h1=False, h2=None, h3=False)])
def test_if_all_nodes_are_late_the_wait_itself_fails(api: NodesApi, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TimeoutExceededError, match="not Ready after 600 s"):
        finish(api, monkeypatch)


@pytest.mark.parametrize("stored", [None, "same", "more"])
def test_a_host_that_left_the_file_while_the_api_was_down_is_refused_once_it_answers(
    stored: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its marker is no longer read, and the record of this apply would forget it."""
    more = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.0.13", "root@10.0.0.14"]).environment
    was = {"same": ENVIRONMENT, "more": more}.get(stored or "")

    class Answering:
        def raw(self, method: str, path: str, *, timeout: float) -> bytes:
            return b"ok"

        def get(self, _resource: object, name: str, *, namespace: str) -> Any:
            if was is None:
                raise NotFoundError(name)
            return record(was)

    run = EnvironmentRun(ENVIRONMENT, Context(lambda _: None, None), ObservedHosts({}))  # type: ignore[arg-type, return-value]
    assert run.read_stored() is None
    applied: list[bool] = []
    monkeypatch.setattr(run, "client", Answering)
    monkeypatch.setattr(EnvironmentObjects, "apply_objects", lambda _self, _run: applied.append(True))
    if stored == "more":
        with pytest.raises(RefusedError, match="cannot be changed like this") as caught:
            OBJECTS.apply(run, PhasePlan("objects", "", ()))
        assert "host h4 left the file" in caught.value.why
        assert "nothing was changed" not in caught.value.hint
    else:
        OBJECTS.apply(run, PhasePlan("objects", "", ()))
    assert applied == ([] if stored == "more" else [True])


@pytest.mark.parametrize("answers", [True, False])
def test_an_unreachable_etcd_host_ends_an_apply_whose_api_does_not_answer(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would wait ten minutes for an API that cannot come up."""
    environment = from_flags("demo", ["10.0.0.11=controlplane", "10.0.0.12=etcd", "10.0.0.13=worker"]).environment
    failed = {name: UnreachableError(f"{name}: no answer") for name in ("h2", "h3")}
    monkeypatch.setattr(reconcile, "observe", lambda *_: ObservedHosts({}))
    monkeypatch.setattr(EnvironmentRun, "api_answers", lambda _run: answers)
    context = Context(lambda _: None, None)  # type: ignore[arg-type, return-value]
    if answers:
        assert set(reconcile._observed(environment, context, Checked({}, {}, failed)).failures) == {"h2", "h3"}
        return
    with pytest.raises(UnreachableError, match="h2: no answer"):
        reconcile._observed(environment, context, Checked({}, {}, failed))
