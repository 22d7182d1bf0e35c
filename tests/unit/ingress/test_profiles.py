"""Options as values and as text: which options share a profile, and what its section says."""

from __future__ import annotations

from dataclasses import fields, replace

from rancherctl.ingress.haproxy import profiles
from rancherctl.ingress.haproxy.client_certificates import POOL_MAP
from rancherctl.ingress.haproxy.profile_text import EXAMPLES
from rancherctl.ingress.haproxy.profiles import PLAIN, REDIRECT_MAP, VALUES, profile_of, section, values_of
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions

LISTED = RouteOptions(allow_source=("10.0.0.0/8",))
OUTSIDE = {
    *("closed", "redirect", "redirect_code", "target", "access_log"),
    *profiles.CLIENTS,
    *(value.field for value in VALUES),
}
"""Options that are no text of pools that forward requests."""


def _path(name: str) -> str:
    return f"/d/{name}.map"


def test_the_examples_have_every_option_with_text() -> None:
    """Their text decides whether a HAProxy of another release is reloaded."""
    covered = {name for options in EXAMPLES for name in options.changed}
    defaults = {"cors_methods", "cors_headers", "cors_max_age", "sticky_name", "sticky_key", "check_status"}
    assert covered == {f.name for f in fields(RouteOptions) if f.init} - OUTSIDE - defaults


def test_values_share_a_profile_and_each_text_has_its_own() -> None:
    assert profile_of(NO_OPTIONS) == PLAIN
    assert section(PLAIN, _path) == ""
    slow, large = RouteOptions(read_timeout=1), RouteOptions(body_size=1, target="only-local")
    assert profile_of(slow) == profile_of(large) in profiles.ALWAYS
    assert profile_of(replace(LISTED, read_timeout=1)) == profile_of(LISTED)
    names = {profile_of(options).name for options in (*EXAMPLES, LISTED, slow)}
    assert len(names) == len(EXAMPLES) + 2


def test_a_redirect_keeps_its_access_list_and_nothing_else() -> None:
    redirect = replace(LISTED, redirect="//www.a.com", redirect_code=308, sticky=True, read_timeout=1)
    assert values_of(redirect) == {REDIRECT_MAP: "308|host|www.a.com"}
    text = section(profile_of(redirect), _path)
    assert "acl allowed src 10.0.0.0/8\n" in text
    assert "cookie" not in text
    assert "timeout-read" not in text
    assert values_of(RouteOptions(redirect="/x")) == {REDIRECT_MAP: "302|url|/x"}


def test_what_clients_must_prove_is_a_value_also_of_a_redirect() -> None:
    for options in (RouteOptions(client_ca="a", client_policy="required|x"), RouteOptions(redirect="/x")):
        one = replace(options, client_ca="b", client_verify="optional", client_policy="optional|y")
        assert profile_of(one) == profile_of(options) in profiles.ALWAYS
        assert values_of(one)[POOL_MAP] == "optional|y"
        assert f"be_name,map_str({_path(POOL_MAP)})" in section(profile_of(one), _path)


def test_clients_are_judged_before_anything_else_and_long_lists_are_split() -> None:
    options = replace(LISTED, deny_source=tuple(f"10.0.{n}.0/24" for n in range(100)), cors_origins=("*",))
    rules = [line.strip() for line in section(profile_of(options), _path).splitlines() if "http-request" in line]
    assert [("status 403" in rule) for rule in rules[:3]] == [True, True, False]
    lines = section(profile_of(options), _path).splitlines()
    assert max(len(line.split()) for line in lines) <= 64
    assert sum(line.count("/24") for line in lines) == 100
