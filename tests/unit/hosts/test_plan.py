from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.change import Unknown
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.apply import grouped
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Link, Package, Resource, Unit, User, key
from rancherctl.hosts.plan import action, describe, expected_prints, plan
from rancherctl.hosts.state import ObservedResources, desired, fingerprint

words = st.text(string.ascii_lowercase, min_size=1, max_size=4)
paths = words.map(lambda word: f"/etc/{word}")
modes = st.sampled_from([0o600, 0o644, 0o755])
resources = st.one_of(
    st.builds(Package, words, st.lists(words, max_size=2, unique=True).map(tuple)),
    st.builds(User, words),
    st.builds(Directory, paths, modes, st.just("root:root"), st.lists(words, max_size=2, unique=True).map(tuple)),
    st.builds(File, paths, st.binary(max_size=9), modes, st.just("root:root"), st.booleans()),
    st.builds(Link, paths, paths),
    st.builds(
        Artefact, paths, st.just(Path("/x")), st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 9)
    ),
    st.builds(
        Unit,
        words,
        st.booleans(),
        st.booleans(),
        st.lists(paths, max_size=2).map(tuple),
        st.lists(paths, max_size=2).map(tuple),
    ),
    st.builds(Absent, paths),
)


def place(resource: Resource) -> str:
    return key(resource).split("/", 2)[2]


hosts = st.lists(resources, max_size=8, unique_by=place).map(tuple)


def as_applied(wanted: tuple[Resource, ...]) -> ObservedResources:
    """The observation of a host on which everything is as wanted."""
    prints = expected_prints(wanted, ObservedResources())
    states = {key(one): there for one in wanted if (there := desired(one, prints)) is not None}
    return ObservedResources(states, prints)


@given(hosts)
def test_nothing_is_planned_if_everything_is_as_wanted(wanted: tuple[Resource, ...]) -> None:
    assert not plan(wanted, as_applied(wanted))


@given(hosts)
def test_an_empty_host_gets_each_resource_once_ordered_by_kind(wanted: tuple[Resource, ...]) -> None:
    changes = plan(wanted, ObservedResources())
    there = [one for one in wanted if not isinstance(one, Absent)]
    assert [change.key for change in changes] == sorted(key(one) for one in there)
    assert {change.verb for change in changes} <= {"create"}


@given(hosts, hosts)
def test_the_request_contains_every_change_and_is_plain_json(
    old: tuple[Resource, ...], new: tuple[Resource, ...]
) -> None:
    changes = plan(
        new,
        replace(
            as_applied(old), states={k: v for k, v in as_applied(old).states.items() if k in {key(one) for one in new}}
        ),
    )
    by_key = {key(one): one for one in new}
    groups = grouped(changes, by_key)
    carried = sorted(item["key"] for items in groups.values() for item in items)
    assert carried == [change.key for change in changes if not isinstance(by_key[change.key], Artefact)]
    json.dumps(groups)
    assert all(describe(change) for change in changes)


def test_a_package_is_not_masked_again_if_units_could_not_be_read() -> None:
    package = Package("haproxy", ("haproxy.service",))
    there = desired(replace(package, mask=()), {})
    assert there is not None
    assert plan((package,), ObservedResources({key(package): there})).changes
    assert not plan((package,), ObservedResources({key(package): there}, unknown=(Unknown("units", "no"),))).changes


@given(hosts)
def test_unread_resources_are_not_changed(wanted: tuple[Resource, ...]) -> None:
    unknown = tuple(Unknown(where, "no") for where in {place(one) for one in wanted} | {"packages", "users", "units"})
    assert plan(wanted, ObservedResources(unknown=unknown)).changes == ()


def test_two_descriptions_of_one_path_are_refused_together() -> None:
    wanted = (File("/a", b"1"), File("/a", b"2"), Link("/b", "x"), Directory("/b"), File("/c", b""), File("/c", b""))
    with pytest.raises(InvalidInputError) as caught:
        plan(wanted, ObservedResources())
    assert len(caught.value.problems) == 2


def unit_change(old: dict[str, str], unit: Unit) -> str:
    have = desired(unit, {})
    assert have is not None
    states = {key(unit): replace(have, facts=tuple(sorted((dict(have.facts) | old).items())))} if old else {}
    changes = plan((unit,), ObservedResources(states))
    return action(changes.changes[0]) if changes else "nothing"


@pytest.mark.parametrize(
    ("old", "unit", "expected"),
    [
        ({}, Unit("u"), "start"),
        ({"active": "no"}, Unit("u"), "start"),
        ({"active": "yes"}, Unit("u"), "nothing"),
        ({"started_with": "old"}, Unit("u"), "restart"),
        ({"started_with": "old", "loaded_with": "old"}, Unit("u"), "restart"),
        ({"loaded_with": "old"}, Unit("u"), "reload"),
        ({"enabled": "no"}, Unit("u"), ""),
        ({"active": "yes"}, Unit("u", active=False), "stop"),
        ({"enabled": "yes"}, Unit("u", enabled=False, active=False), ""),
    ],
)
def test_the_action_on_a_unit_follows_its_state(old: dict[str, str], unit: Unit, expected: str) -> None:
    assert unit_change(old, unit) == expected


def test_a_unit_restarts_for_the_planned_content_of_its_files() -> None:
    unit = Unit("u", restart_on=("/etc/a", "/etc/b", "/link"))
    wanted: tuple[Resource, ...] = (unit, File("/etc/a", b"new"), Link("/link", "/x"))
    observed = as_applied(wanted)
    assert not plan(wanted, observed)
    changed = (unit, File("/etc/a", b"newer"), Link("/link", "/x"))
    assert [action(change) for change in plan(changed, observed) if change.key == key(unit)] == ["restart"]
    moved = (unit, File("/etc/a", b"new"), Link("/link", "/y"))
    assert [action(change) for change in plan(moved, observed) if change.key == key(unit)] == ["restart"]


@pytest.mark.parametrize("kind", ["restart", "reload"])
def test_a_unit_is_not_restarted_over_a_file_that_could_not_be_read(kind: str) -> None:
    """A certificate renewed elsewhere: an input/output error does not mean that it changed."""
    path = "/etc/rancherctl/pki/ca.crt"
    unit = Unit("u", restart_on=(path,)) if kind == "restart" else Unit("u", reload_on=(path,))
    prints = {path: "0" * 64}
    running = desired(unit, prints)
    assert running is not None
    ran = {
        "u": {"restart": dict.fromkeys(unit.restart_on, "0" * 64), "reload": dict.fromkeys(unit.reload_on, "0" * 64)}
    }
    assert not plan((unit,), ObservedResources({key(unit): running}, prints, ran))
    assert not plan((unit,), ObservedResources({key(unit): running}, {}, ran, (Unknown(path, "Input/output error"),)))


def test_resources_with_a_path_have_fingerprints() -> None:
    assert fingerprint(Link("/l", "t")) == ("/l", "link:t")
    assert fingerprint(Absent("/l")) == ("/l", "absent")
    assert fingerprint(Package("p")) is None
