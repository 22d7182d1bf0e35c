"""What an existing environment cannot become: refused by its record, and by the markers of its hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.environments import immutable_fields, network_notice
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.model import Environment
from rancherctl.errors import RefusedError

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONTROL, WORKER = ENV.hosts


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (
            replace(ENV, network=replace(ENV.network, pod_cidr="10.50.0.0/16")),
            "podCIDR is 10.42.0.0/16 and cannot become 10.50.0.0/16",
        ),
        (replace(ENV, dns=replace(ENV.dns, domain="other.local")), "spec.dns.domain"),
        (replace(ENV, kubernetes="1.37.2"), "upgrades"),
        (replace(ENV, hosts=(CONTROL,)), "host h2 left the file"),
        (
            replace(ENV, hosts=(CONTROL, replace(WORKER, address="10.0.0.99"))),
            "h2: the address is 10.0.0.12 and cannot become 10.0.0.99",
        ),
        (replace(ENV, hosts=(CONTROL, replace(WORKER, roles=frozenset({"etcd"})))), "is worker and cannot become etcd"),
    ],
)
def test_fields_that_cannot_change_are_refused_by_the_record(new: Environment, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        immutable_fields.refuse(ENV, new)
    assert reason in caught.value.why


def test_the_pod_network_may_change_between_routed_and_vxlan_but_not_from_or_to_none() -> None:
    vxlan = replace(ENV, network=replace(ENV.network, mode="vxlan"))
    none = replace(ENV, network=replace(ENV.network, mode="none"))
    for old, new in ((ENV, vxlan), (vxlan, ENV)):
        immutable_fields.refuse(old, new)
        immutable_fields.refuse_markers(new, {h.name: immutable_fields.marker_of(old, h) for h in old.hosts})
        assert "MTU" in network_notice.mode_changes(old, new)
    for old, new in ((ENV, none), (none, ENV), (vxlan, none), (none, vxlan)):
        reason = f"spec.network.mode is {old.network.mode} and cannot become {new.network.mode}"
        with pytest.raises(RefusedError) as caught:
            immutable_fields.refuse(old, new)
        assert reason in caught.value.why
    assert network_notice.mode_changes(vxlan, vxlan) == ""


def test_new_hosts_labels_and_upstreams_are_accepted() -> None:
    third = replace(WORKER, name="h3", address="10.0.0.13")
    new = replace(
        ENV, hosts=(replace(CONTROL, labels={"a": "b"}), WORKER, third), dns=replace(ENV.dns, upstreams=("9.9.9.9",))
    )
    immutable_fields.refuse(ENV, new)


def test_fields_that_cannot_change_are_refused_by_markers_while_the_api_is_down() -> None:
    markers = {h.name: immutable_fields.marker_of(ENV, h) for h in ENV.hosts}
    immutable_fields.refuse_markers(ENV, markers)
    immutable_fields.refuse_markers(
        ENV, {"h1": {}, "h2": {"environment": "demo", "host": "h2"}}
    )  # a host without a marker, and a marker of an older release
    changed = replace(ENV, network=replace(ENV.network, service_cidr="10.99.0.0/16"))
    with pytest.raises(RefusedError, match="cannot be changed") as caught:
        immutable_fields.refuse_markers(changed, markers)
    assert caught.value.why == "h1, h2: spec.network.serviceCIDR is 10.43.0.0/16 and cannot become 10.99.0.0/16"
    moved = replace(ENV, kubernetes="1.37.2", hosts=(CONTROL, replace(WORKER, roles=frozenset({"etcd", "worker"}))))
    with pytest.raises(RefusedError) as caught:
        immutable_fields.refuse_markers(moved, markers)
    assert "h1, h2: spec.kubernetes.version (upgrades of Kubernetes are not supported yet" in caught.value.why
    assert "h2: the list of roles is worker and cannot become etcd, worker" in caught.value.why
