"""Labels of environments: what a change makes of them, and what the arguments of `env label` mean."""

from __future__ import annotations

import pytest

from rancherctl.cli.labels import label_changes
from rancherctl.environments.labels import relabelled
from rancherctl.errors import ConflictError, UsageError
from rancherctl.federation.operator.overview import FederationView, member_rows

HAS = {"env": "prod", "tier": "gold"}


def test_labels_are_set_and_removed() -> None:
    assert relabelled(HAS, {"zone": "a"}, ["tier", "absent"], overwrite=False) == {"env": "prod", "zone": "a"}


def test_another_value_needs_overwrite_and_the_same_does_not() -> None:
    assert relabelled(HAS, {"env": "prod"}, (), overwrite=False) == HAS
    assert relabelled(HAS, {"env": "test"}, (), overwrite=True)["env"] == "test"
    with pytest.raises(ConflictError, match="2 labels with another value: env=prod, tier=gold"):
        relabelled(HAS, {"env": "test", "tier": "x"}, (), overwrite=False)


@pytest.mark.parametrize(
    ("arguments", "name", "wanted", "removed"),
    [
        (["prod", "env=a", "tier-"], "prod", {"env": "a"}, ("tier",)),
        (["env=a"], None, {"env": "a"}, ()),
        (["tier-"], None, {}, ("tier",)),
        (["prod", "empty="], "prod", {"empty": ""}, ()),
        (["example.com/a=b"], None, {"example.com/a": "b"}, ()),
    ],
)
def test_the_first_argument_is_a_name_unless_it_is_a_label(
    arguments: list[str], name: str | None, wanted: dict[str, str], removed: tuple[str, ...]
) -> None:
    assert label_changes(arguments) == (name, wanted, removed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prod"], ["no label"]),
        (["prod", "env=a", "env=b"], ["env is given twice"]),
        (["prod", "env=a", "env-"], ["env is both set and removed"]),
        (["prod", "env"], ["'env' is neither KEY=VALUE nor KEY-"]),
        (["prod", "a b=c", "d=e f", "g"], ["'a b' is not a label key", "'e f' is not a label value", "'g' is neither"]),
        (["prod", "kubernetes.io/x=y"], ["are set by Kubernetes or rancherctl"]),
        (["prod", "-"], ["is not a label key"]),
    ],
)
def test_all_faults_are_reported_at_once(arguments: list[str], words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        label_changes(arguments)
    assert all(word in str(error.value) for word in words)


def test_environments_that_are_labelled_and_have_not_joined_are_listed_as_pending() -> None:
    (row,) = member_rows(FederationView({}, {}), "acme", {"paris": {"federation": "acme"}})
    assert (row["name"], row["pending"], row["ready"]) == ("paris", True, None)
    assert row["problems"] == ["not joined yet: rancherctl federation join acme --env paris"]
