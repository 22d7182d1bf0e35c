"""Selectors over the labels of members, and the other annotations of federated objects."""

from __future__ import annotations

import pytest

from rancherctl.federation import options
from rancherctl.federation.placement import SELECTOR, V1_SELECTOR, parse, parse_v1, selector_of

PROD_EU = {"env": "prod", "region": "eu"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("env=prod", True),
        ("env==prod", True),
        ("env = prod", True),
        ("env!=prod", False),
        ("env!=test,region=eu", True),
        ("env in (prod, test)", True),
        ("env in (test),region=eu", False),
        ("region notin (us,asia)", True),
        ("missing notin (a)", True),
        ("missing!=a", True),
        ("env", True),
        ("!env", False),
        ("!missing", True),
        ("missing", False),
        ("env=", False),
    ],
)
def test_a_selector_means_what_it_means_for_kubectl(text: str, matches: bool) -> None:
    assert parse(text).matches(PROD_EU) is matches


@pytest.mark.parametrize("text", ["env in prod", "env=prod,", "env in (prod", "=x", "a b", "env=ä", "x/y/z=1", "env>1"])
def test_what_does_not_parse_is_refused_with_the_part_that_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid label"):
        parse(text)


def test_all_parts_that_are_wrong_are_named() -> None:
    with pytest.raises(ValueError, match="selector") as error:
        parse("env in prod,tier=-x,a=b,zone in (c, d!, e?)")
    assert str(error.value) == (
        "'env in prod' is not a valid label selector; '-x' in 'tier=-x' is not a valid label value; "
        "'d!', 'e?' in 'zone in (c, d!, e?)' are not valid label values"
    )
    with pytest.raises(ValueError, match=r"has no key; .* has no values"):
        parse_v1('[{"operator": "in"}, {"key": "a", "operator": "in"}]')


def test_the_json_of_federation_v1_means_the_same() -> None:
    old = '[{"key": "env", "operator": "In", "values": ["prod"]}, {"key": "x", "operator": "DoesNotExist"}]'
    assert parse_v1(old) == parse("env in (prod),!x")
    assert selector_of({V1_SELECTOR: old}).matches(PROD_EU)
    assert selector_of({V1_SELECTOR: old, SELECTOR: "env=test"}).matches({"env": "test"})


@pytest.mark.parametrize(
    "text", ["{}", "env=prod", '[{"key": 1}]', '[{"key": "a", "operator": "near"}]', '[{"key":"a","operator":"in"}]']
)
def test_json_that_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_v1(text)


def test_annotations_that_cannot_be_read_are_reported_and_keep_their_defaults() -> None:
    found = options.parse(
        {
            SELECTOR: "env in prod",
            options.ADOPT: "yes",
            options.PRIORITY: "frankfurt",
            options.WHEN_NONE: "drop",
            options.HEALTH_CHECK: "https:/x",
            options.HOSTNAME: "www.acme.example, -bad-, *.shop.acme.example",
            "federation.rancherctl.io/adpot": "never",
        }
    )
    assert found.selector is None
    assert (found.adopt, found.priority, found.when_none, found.health_check) == ("if-equal", None, "", None)
    assert found.hostnames == ("www.acme.example", "*.shop.acme.example")
    text = "\n".join(found.problems)
    for part in (SELECTOR, options.ADOPT, options.PRIORITY, options.WHEN_NONE, options.HEALTH_CHECK, "-bad-"):
        assert part in text
    assert 'did you mean "federation.rancherctl.io/adopt"?' in text
    assert len(found.problems) == 7


def test_annotations_that_are_right_say_what_they_ask_for() -> None:
    found = options.parse(
        {
            options.PRIORITY: "frankfurt=1, paris=2",
            options.WHEN_NONE: "remove",
            options.HEALTH_CHECK: "http:/healthz",
            options.V1_STAY: "true",
        }
    )
    assert found.priority == {"frankfurt": 1, "paris": 2}
    assert (found.when_none, found.health_check, found.stay, found.problems) == ("remove", "http:/healthz", True, ())
