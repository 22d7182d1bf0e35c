"""What the checks of all hosts mean together: one problem for each cause, at the host that has it."""

from __future__ import annotations

from typing import Any

from rancherctl.pod_paths.explain import REASONS, explain, remedies, unknowns
from rancherctl.pod_paths.model import STARTING, Check, HostPaths, from_section, to_section

YES = Check("yes")
NETWORK = Check("no", "network", "no answer")
FIREWALL = Check("no", "firewall", "dropped")
UNKNOWN = Check("unknown", "peer", "h3 does not answer at all")
LIVE = {"h1", "h2", "h3"}


def paths(dns: Check = YES, api: Check = YES, **pods: Check) -> HostPaths:
    return HostPaths(dns, api, pods)


def causes(found: dict[str, HostPaths], live: set[str] = LIVE) -> list[tuple[str, str]]:
    return [(problem.host, problem.cause) for problem in explain(found, live)]


def test_no_failure_no_problem() -> None:
    assert causes({"h1": paths(h2=YES), "h2": paths(h1=YES)}) == []


def test_a_network_that_drops_pod_addresses_shows_at_both_ends() -> None:
    found = {"h1": paths(h2=NETWORK), "h2": paths(api=NETWORK, h1=NETWORK)}
    assert causes(found) == [("h1", "network"), ("h2", "network")]
    assert "pods of other hosts, the API" in explain(found, LIVE)[1].text


def test_the_other_host_with_a_cause_of_its_own_is_to_blame_alone() -> None:
    for fault in (paths(dns=FIREWALL, h1=NETWORK), paths(h1=FIREWALL), paths(h1=Check("no", "route", "missing"))):
        assert {host for host, _ in causes({"h1": paths(h2=NETWORK), "h2": fault})} == {"h2"}


def test_a_host_that_reaches_others_but_is_not_reached_has_a_firewall() -> None:
    found = {"h1": paths(h2=NETWORK, h3=YES), "h2": paths(h1=YES, h3=YES), "h3": paths(h1=YES, h2=NETWORK)}
    assert causes(found) == [("h2", "firewall")]
    assert "pods of h1, h3" in explain(found, LIVE)[0].text


def test_one_problem_for_each_cause_of_a_host() -> None:
    found = {"h1": paths(dns=FIREWALL, api=FIREWALL, h2=FIREWALL, h3=Check("no", "route", "the route is missing"))}
    first, second = explain(found, LIVE)
    assert (first.cause, second.cause) == ("firewall", "route")
    assert "DNS, the API, pods of h2" in first.text


def test_silent_starting_and_unknown_hosts_cause_no_alarm() -> None:
    assert causes({"h1": paths(h2=NETWORK), "h2": paths(h1=NETWORK)}, {"h1"}) == []
    assert causes({"h1": paths(h2=NETWORK), "h2": STARTING}) == []
    assert causes({"h1": paths(h2=NETWORK)}) == [], "h2 runs an earlier release: it has no endpoint"
    assert causes({"h1": paths(api=Check("unknown", "api", "down"), h3=UNKNOWN)}) == []


def test_what_could_not_be_checked_is_said_once() -> None:
    lost = Check("unknown", "endpoint", "the check endpoint does not run")
    assert unknowns({"h1": paths(lost, lost, h2=lost), "h2": paths(), "h3": paths(lost)}, {"h1", "h2"}) == (
        "h1: paths of pods were not checked: the check endpoint does not run",
    )


def test_every_cause_has_a_remedy_that_names_the_hosts() -> None:
    found = {
        "h1": paths(Check("no", "dns-server", "x"), Check("no", "kube-proxy", "x"), h2=FIREWALL),
        "h2": paths(h1=Check("no", "mtu", "x"), h3=NETWORK),
        "h3": paths(h1=Check("no", "route", "x"), h2=NETWORK),
    }
    problems = explain(found, LIVE)
    assert {problem.cause for problem in problems} == {
        "dns-server",
        "kube-proxy",
        "firewall",
        "mtu",
        "network",
        "route",
    }
    assert {problem.reason for problem in problems} == set(REASONS.values())
    lines = remedies(problems, "demo")
    assert len(lines) == 6
    assert all(lines)
    assert any("--open-firewall" in line and "h1" in line for line in lines)
    assert any("spec.network.mode: vxlan" in line for line in lines)


def test_sections_survive_the_report_and_damaged_ones_count_as_none() -> None:
    found = paths(FIREWALL, h2=NETWORK)
    assert from_section(to_section(found)) == found
    assert from_section(to_section(STARTING)) == STARTING
    odd: tuple[Any, ...] = (None, [], "x", {}, {"dns": 1, "api": 2, "pods": {}}, {"pods": 3}, {"error": "failed"})
    for damaged in odd:
        assert from_section(damaged) is None
    long = from_section({**to_section(found), "dns": {"answer": "no", "cause": "x" * 99, "reason": "a\n" * 999}})
    assert long is not None
    assert len(long.dns.reason) <= 300
    assert "\n" not in long.dns.reason
