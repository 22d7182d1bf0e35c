"""Which firewall a host has, from recorded listings, and the commands that open it."""

from __future__ import annotations

import json

import pytest

from rancherctl.hosts.firewall import FilterChain, FirewallFact, open_commands, parse, shown

HOSTS, PODS = ("10.77.0.12", "10.77.0.2", "10.77.0.12"), "10.42.0.0/16"
INPUT = FilterChain("inet", "filter", "input", "input")
FORWARD = FilterChain("inet", "filter", "forward", "forward")


def chain(
    name: str, hook: str, policy: str = "accept", *, table: str = "filter", kind: str = "filter"
) -> dict[str, object]:
    base = {"type": kind, "hook": hook, "prio": 0, "policy": policy} if hook else {}
    return {"chain": {"family": "inet", "table": table, "name": name, "handle": 1, **base}}


def rule(of: str, *expr: dict[str, object], table: str = "filter") -> dict[str, object]:
    return {"rule": {"family": "inet", "table": table, "chain": of, "handle": 2, "expr": list(expr)}}


def listing(*objects: dict[str, object]) -> str:
    return json.dumps({"nftables": [{"metainfo": {"version": "1.1.3"}}, *objects]}) + "\n"


ESTABLISHED: dict[str, object] = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}
JUMP: dict[str, object] = {"jump": {"target": "end"}}
COUNTER: dict[str, object] = {"counter": {"packets": 0, "bytes": 0}}


@pytest.mark.parametrize(
    ("objects", "denies"),
    [
        ((chain("input", "input", "drop"),), True),
        ((chain("input", "input"),), False),
        ((chain("input", "input"), rule("input", ESTABLISHED, {"accept": None}), rule("input", {"drop": None})), True),
        ((chain("input", "input"), rule("input", COUNTER, {"reject": {"type": "icmpx"}})), True),
        ((chain("input", "input"), rule("input", ESTABLISHED, {"drop": None})), False),
        ((chain("input", "input"), rule("input", {"log": None})), False),
        ((chain("input", "input"), rule("input", JUMP), chain("end", ""), rule("end", {"drop": None})), True),
        ((chain("input", "input"), rule("input", {"goto": {"target": "input"}})), False),
        ((chain("input", "input"), rule("input", {"drop": None}), rule("input", {"xt": None})), False),
        ((chain("input", "input"), rule("input", COUNTER, {"xt": {"type": "target", "name": "REJECT"}})), True),
        ((chain("input", "prerouting", "drop"),), False),
        ((chain("input", "input", "drop", kind="nat"),), False),
        ((chain("input", "input", "drop", table="rancherctl_network"),), False),
    ],
)  # fmt: skip
def test_a_chain_denies_by_its_policy_or_by_a_last_rule_without_condition(
    objects: tuple[dict[str, object], ...], denies: bool
) -> None:
    assert parse(listing(*objects)) == FirewallFact("", (INPUT,) if denies else ())


def test_rules_of_iptables_are_judged_by_their_text() -> None:
    accept = ":INPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\n"
    reject = "-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"
    found = parse(f"{accept}{reject}:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [5:300]\n")
    assert found.kind == "iptables"
    assert [one.name for one in found.chains] == ["FORWARD", "INPUT"]
    assert parse(f"{accept}-A INPUT -s 10.9.0.0/16 -j DROP\n").kind is None
    assert parse(f"{accept}{reject}-A INPUT -p tcp -j ACCEPT\n").kind is None


def test_a_manager_counts_only_while_something_is_denied() -> None:
    assert parse("ufw\n").kind is None
    assert parse("ufw\n:INPUT DROP [0:0]\n").kind == "ufw"
    assert (
        parse("firewalld\n" + listing(chain("filter_INPUT", "input"), rule("filter_INPUT", {"reject": None}))).kind
        == "firewalld"
    )
    assert parse("").kind is None
    assert str(FirewallFact("", (INPUT,))) == "nft (inet filter input)"


@pytest.mark.parametrize("text", ["Error: unknown\n", '{"other": 1}\n', "ufw is active\n"])
def test_unexpected_output_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(text)


def test_commands_for_each_firewall() -> None:
    ufw = shown(open_commands(FirewallFact("ufw", (INPUT,)), HOSTS, PODS))
    assert ufw == (
        "ufw allow from 10.77.0.2 comment rancherctl",
        "ufw allow from 10.77.0.12 comment rancherctl",
        "ufw allow from 10.42.0.0/16 comment rancherctl",
        "ufw route allow from 10.42.0.0/16 comment rancherctl",
        "ufw route allow from 10.77.0.2 to 10.42.0.0/16 comment rancherctl",
        "ufw route allow from 10.77.0.12 to 10.42.0.0/16 comment rancherctl",
    )
    firewalld = shown(open_commands(FirewallFact("firewalld", (INPUT,)), HOSTS[:1], PODS))
    assert firewalld == (
        "firewall-cmd --permanent --zone=trusted --add-source=10.77.0.12",
        "firewall-cmd --zone=trusted --add-source=10.77.0.12",
        "firewall-cmd --permanent --zone=trusted --add-source=10.42.0.0/16",
        "firewall-cmd --zone=trusted --add-source=10.42.0.0/16",
    )
    nft = shown(open_commands(FirewallFact("", (FORWARD, INPUT)), HOSTS[:2], PODS))
    accept, pods = "counter accept comment rancherctl", "10.42.0.0/16"
    assert nft == (
        f"nft insert rule inet filter forward ip daddr {pods} ct state established,related {accept}",
        f"nft insert rule inet filter forward ip saddr '{{ 10.77.0.2, 10.77.0.12 }}' ip daddr {pods} {accept}",
        f"nft insert rule inet filter forward ip saddr {pods} {accept}",
        f"nft insert rule inet filter input ip saddr '{{ 10.77.0.2, 10.77.0.12, {pods} }}' {accept}",
    )
    chains = (FilterChain("ip", "filter", "INPUT", "input"),)
    assert shown(open_commands(FirewallFact("", chains), HOSTS[:1], PODS))[0] == (
        "iptables -I INPUT -s 10.77.0.12/32 -m comment --comment rancherctl -j ACCEPT"
    )
    assert open_commands(FirewallFact("ufw"), HOSTS, PODS) == ()
