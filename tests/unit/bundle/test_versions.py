"""The version table."""

import pytest

from rancherctl.bundle.versions import BINARIES, DEFAULT, TABLE, check_arch, known, versions_for
from rancherctl.errors import UsageError


def test_the_default_is_known_and_v_is_accepted() -> None:
    assert versions_for(f"v{DEFAULT}") == versions_for(DEFAULT) == TABLE[DEFAULT]


def test_versions_are_ordered_by_number_not_by_text() -> None:
    assert list(known()) == sorted(TABLE, key=lambda v: [int(part) for part in v.split(".")])


@pytest.mark.parametrize(
    ("given", "near"), [("1.36.9", "1.36.3"), ("1.36", "1.36.3"), ("1.37.20", "1.37.2"), ("v1.34.0", "1.34.4")]
)
def test_an_unknown_version_names_the_known_ones_and_the_nearest(given: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        versions_for(given)
    assert repr(given) in caught.value.what
    assert all(version in caught.value.why for version in TABLE)
    assert caught.value.hint == f"did you mean {near}?"


def test_an_unrelated_version_gets_no_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        versions_for("latest")
    assert "did you mean" not in caught.value.hint


def test_every_component_with_binaries_has_a_version() -> None:
    row = versions_for(DEFAULT)
    assert {component: bool(row.of(component)) for component in BINARIES} == dict.fromkeys(BINARIES, True)


def test_no_binary_name_occurs_in_two_components() -> None:
    names = [name for binaries in BINARIES.values() for name in binaries]
    assert len(names) == len(set(names))


def test_architectures_have_go_names() -> None:
    assert check_arch("arm64") == "arm64"
    with pytest.raises(UsageError, match="x86_64"):
        check_arch("x86_64")
