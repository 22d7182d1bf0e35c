"""Rules of rancherctl in a host's firewall: what is there, and what changes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rancherctl.hosts.firewall import COMMENT, FilterChain, FirewallFact
from rancherctl.hosts.firewall_rules import NftRule, PresentRules, RuleChange, parse, plan, vanished

HOSTS, PODS = ("10.0.0.11", "10.0.0.12"), "10.42.0.0/16"
INPUT = FilterChain("inet", "filter", "input", "input")
NFT = PresentRules(FirewallFact("", (INPUT,)))
UFW = PresentRules(FirewallFact("ufw", (FilterChain("ip", "filter", "INPUT", "input"),)))
FIREWALLD = PresentRules(FirewallFact("firewalld", (INPUT,)))
IPTABLES = PresentRules(FirewallFact("", (FilterChain("ip", "filter", "INPUT", "input"),)))


def commands(*changes: RuleChange) -> list[str]:
    return [" ".join(argv) for change in changes for argv in change.commands]


def test_the_tools_output_is_read_after_a_greeting() -> None:
    listing = {
        "nftables": [
            {"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter",
                       "hook": "input", "prio": 0, "policy": "drop"}},
            {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 9,
                      "comment": "rancherctl 0123456789ab", "expr": []}},
            {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 10,
                      "comment": "rancherctl", "expr": []}},
        ]
    }  # fmt: skip
    found = parse(
        f"Welcome {{you}}\n== begin\nufw\n{json.dumps(listing)}\n== ufw\nAdded user rules (see 'ufw status'):\n"
        "ufw allow 22/tcp\nufw allow from 10.0.0.11 comment 'rancherctl'\nufw route allow from 10.42.0.0/16\n"
        '== record\n["10.0.0.11"]\n== permanent\n10.0.0.11 192.0.2.0/24\n== runtime\n\n== rules\n'
        "-A INPUT -s 10.0.0.11/32 -m comment --comment rancherctl -j ACCEPT\n"
    )
    assert found == PresentRules(
        FirewallFact("ufw", (INPUT,)),
        frozenset({("allow", "from", "10.0.0.11")}),
        frozenset({("allow", "22/tcp"), ("route", "allow", "from", "10.42.0.0/16")}),
        frozenset({"10.0.0.11"}),
        frozenset({"10.0.0.11", "192.0.2.0/24"}),
        frozenset(),
        (NftRule("inet", "filter", "input", "rancherctl 0123456789ab", 9),),  # the other one was typed by a person
        frozenset({("INPUT", "-s", "10.0.0.11/32", "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT")}),
    )
    with pytest.raises((ValueError, KeyError)):
        parse("no such thing")


def test_rules_of_ufw_are_added_once_and_rules_of_other_people_stay() -> None:
    foreign = ("allow", "from", "10.0.0.11")
    added = plan(replace(UFW, foreign_ufw=frozenset({foreign})), HOSTS, PODS)
    assert "ufw allow from 10.0.0.11 comment rancherctl" not in commands(*added)
    assert commands(*added)[0] == "ufw allow from 10.0.0.12 comment rancherctl"
    rules = frozenset(tuple(change.name.split()[1:]) for change in added)
    there = replace(UFW, ufw=rules, foreign_ufw=frozenset({foreign}))
    assert plan(there, HOSTS, PODS) == ()
    removed = plan(there, (), "")
    assert {change.verb for change in removed} == {"delete"}
    assert "ufw delete allow from 10.0.0.12" in commands(*removed)
    assert "ufw route delete allow from 10.42.0.0/16" in commands(*removed)
    assert not any(line.endswith("allow from 10.0.0.11") for line in commands(*removed))


def test_sources_of_firewalld_are_recorded_before_they_are_added_and_after_they_are_removed() -> None:
    known = replace(FIREWALLD, permanent=frozenset({"10.0.0.11"}), runtime=frozenset({"10.0.0.11"}))
    added = plan(known, HOSTS, PODS)
    assert [change.name for change in added] == [
        "firewalld trusted source 10.0.0.12",
        "firewalld trusted source 10.42.0.0/16",
    ]
    assert commands(*added)[0].endswith('sh ["10.0.0.12"]')
    assert commands(*added)[1:3] == [
        "firewall-cmd -q --permanent --zone=trusted --add-source=10.0.0.12",
        "firewall-cmd -q --zone=trusted --add-source=10.0.0.12",
    ]
    recorded = frozenset({"10.0.0.12", PODS})
    there = replace(known, recorded=recorded, permanent=recorded | {"10.0.0.11"}, runtime=recorded | {"10.0.0.11"})
    assert plan(there, HOSTS, PODS) == ()
    assert [change.name for change in plan(replace(there, runtime=frozenset()), HOSTS, PODS)] == [
        "firewalld trusted source 10.0.0.12",
        "firewalld trusted source 10.42.0.0/16",
    ]
    removed = commands(*plan(there, (), ""))
    assert removed[-1] == "rm -f /var/lib/rancherctl/firewalld-sources.json"
    assert not any("10.0.0.11" in line for line in removed)


def test_a_chain_of_nft_gets_all_its_rules_in_one_transaction() -> None:
    (added,) = plan(NFT, HOSTS, PODS)
    ((_, text),) = added.commands
    assert text.startswith("insert rule inet filter input ip saddr { 10.0.0.11, 10.0.0.12, 10.42.0.0/16 } counter")
    comment = text.rpartition(' "')[2].rstrip('"')
    there = replace(NFT, nft=(NftRule("inet", "filter", "input", comment, 7),))
    assert plan(there, reversed(HOSTS), PODS) == ()
    (changed,) = plan(there, (*HOSTS, "10.0.0.13"), PODS)
    assert changed.commands[0][1].startswith("delete rule inet filter input handle 7; insert rule inet filter input ")
    (removed,) = plan(there, (), "")
    assert removed.verb == "delete"
    assert removed.commands == (("nft", "delete rule inet filter input handle 7"),)
    (left,) = plan(replace(there, fact=FirewallFact()), HOSTS, PODS)  # nothing denies any more
    assert left.verb == "delete"


def test_rules_of_iptables_are_inserted_and_deleted_by_their_text() -> None:
    added = plan(IPTABLES, HOSTS, PODS)
    assert commands(*added)[0] == ("iptables -w 5 -I INPUT -s 10.0.0.11/32 -m comment --comment rancherctl -j ACCEPT")
    there = replace(IPTABLES, iptables=frozenset(change.commands[0][4:] for change in added))
    assert plan(there, HOSTS, PODS) == ()
    assert {line.split()[3] for line in commands(*plan(there, (), ""))} == {"-D"}


def test_an_agent_restores_only_what_is_missing_altogether() -> None:
    lost = vanished(NFT, HOSTS, PODS)
    assert [change.verb for change in lost] == ["create"]
    there = replace(NFT, nft=(NftRule("inet", "filter", "input", "rancherctl of an apply that knows more hosts", 7),))
    assert vanished(there, HOSTS, PODS) == ()
    assert vanished(UFW, HOSTS, PODS) == ()
    assert vanished(FIREWALLD, HOSTS, PODS) == ()
    assert len(vanished(IPTABLES, HOSTS, PODS)) == 3
