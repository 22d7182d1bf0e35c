"""Rules of rancherctl in a host's firewall: what is there, and what changes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rancherctl.hosts.firewall import COMMENT, FilterChain, FirewallFact, RuleChange
from rancherctl.hosts.firewall_rules import NftRule, PresentRules, parse, plan, vanished
from rancherctl.hosts.firewalld_sources import FirewalldSources

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
        '== record\n["10.0.0.11"]\n== permanent\n10.0.0.11 192.0.2.0/24\n== permanent-set\n10.0.0.12\n'
        "10.42.0.0/16\n== runtime\nipset:rancherctl\n== runtime-set\n\n== rules\n"
        "-A INPUT -s 10.0.0.11/32 -m comment --comment rancherctl -j ACCEPT\n"
    )
    assert found == PresentRules(
        FirewallFact("ufw", (INPUT,)),
        frozenset({("allow", "from", "10.0.0.11")}),
        frozenset({("allow", "22/tcp"), ("route", "allow", "from", "10.42.0.0/16")}),
        FirewalldSources(
            frozenset({"10.0.0.11", "192.0.2.0/24"}),
            frozenset({"ipset:rancherctl"}),
            frozenset({"10.0.0.12", PODS}),
            frozenset(),
            frozenset({"10.0.0.11"}),
        ),
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


RECORD = "/var/lib/rancherctl/firewalld-sources.json"
SET = "ipset:rancherctl"
FOREIGN = frozenset({"192.0.2.0/24", "10.0.0.11"})
"""Sources of the operator; one of them is a host."""
OPENED = FirewalldSources(
    FOREIGN | {SET}, FOREIGN | {"10.0.0.12", PODS}, frozenset({*HOSTS, PODS}), None, frozenset({"10.0.0.12", PODS})
)
"""Before firewalld has read its permanent configuration again."""
RELOADED = replace(OPENED, runtime=FOREIGN | {SET}, loaded=frozenset({*HOSTS, PODS}))


def firewalld(found: FirewalldSources) -> PresentRules:
    return replace(FIREWALLD, firewalld=found)


def test_firewalld_gets_an_ipset_for_its_next_reload_and_addresses_until_then() -> None:
    (added,) = plan(firewalld(FirewalldSources(FOREIGN, FOREIGN)), HOSTS, PODS)
    assert added.name == "firewalld trusted ipset:rancherctl: 10.0.0.11, 10.0.0.12, 10.42.0.0/16"
    record, *rest = commands(added)
    assert record.endswith('sh ["10.0.0.12", "10.42.0.0/16"]'), "recorded before they are added"
    assert rest == [
        "firewall-cmd -q --permanent --new-ipset=rancherctl --type=hash:net",
        "firewall-cmd -q --permanent --ipset=rancherctl --add-entry=10.0.0.11",
        "firewall-cmd -q --permanent --ipset=rancherctl --add-entry=10.0.0.12",
        "firewall-cmd -q --permanent --ipset=rancherctl --add-entry=10.42.0.0/16",
        "firewall-cmd -q --permanent --zone=trusted --add-source=ipset:rancherctl",
        "firewall-cmd -q --zone=trusted --add-source=10.0.0.12",
        "firewall-cmd -q --zone=trusted --add-source=10.42.0.0/16",
    ]
    assert plan(firewalld(OPENED), HOSTS, PODS) == ()
    assert plan(firewalld(RELOADED), HOSTS, PODS) == ()


def test_a_host_that_joins_or_leaves_changes_both_configurations_of_firewalld() -> None:
    assert commands(*plan(firewalld(RELOADED), (*HOSTS, "10.0.0.13"), PODS)) == [
        "firewall-cmd -q --permanent --ipset=rancherctl --add-entry=10.0.0.13",
        "firewall-cmd -q --ipset=rancherctl --add-entry=10.0.0.13",
    ]
    record, *rest = commands(*plan(firewalld(OPENED), (*HOSTS, "10.0.0.13"), PODS))
    assert record.endswith('sh ["10.0.0.12", "10.0.0.13", "10.42.0.0/16"]')
    assert rest == [
        "firewall-cmd -q --permanent --ipset=rancherctl --add-entry=10.0.0.13",
        "firewall-cmd -q --zone=trusted --add-source=10.0.0.13",
    ]
    *rest, record = commands(*plan(firewalld(OPENED), HOSTS[:1], PODS))
    assert rest == [
        "firewall-cmd -q --permanent --ipset=rancherctl --remove-entry=10.0.0.12",
        "firewall-cmd -q --zone=trusted --remove-source=10.0.0.12",
    ]
    assert record.endswith('sh ["10.42.0.0/16"]')


def test_nothing_of_rancherctl_stays_in_firewalld_and_sources_of_other_people_do() -> None:
    assert commands(*plan(firewalld(OPENED), (), "")) == [
        "firewall-cmd -q --permanent --zone=trusted --remove-source=ipset:rancherctl",
        "firewall-cmd -q --permanent --delete-ipset=rancherctl",
        "firewall-cmd -q --zone=trusted --remove-source=10.0.0.12",
        "firewall-cmd -q --zone=trusted --remove-source=10.42.0.0/16",
        f"rm -f {RECORD}",
    ]
    assert commands(*plan(firewalld(RELOADED), (), "")) == [
        "firewall-cmd -q --permanent --zone=trusted --remove-source=ipset:rancherctl",
        "firewall-cmd -q --permanent --delete-ipset=rancherctl",
        "firewall-cmd -q --zone=trusted --remove-source=ipset:rancherctl",
        "firewall-cmd -q --ipset=rancherctl --remove-entry=10.0.0.11",
        "firewall-cmd -q --ipset=rancherctl --remove-entry=10.0.0.12",
        "firewall-cmd -q --ipset=rancherctl --remove-entry=10.42.0.0/16",
        f"rm -f {RECORD}",
    ]
    emptied = FirewalldSources(FOREIGN, FOREIGN, None, frozenset())
    assert plan(firewalld(emptied), (), "") == (), "firewalld drops the empty set at its next reload"
    again = commands(*plan(firewalld(emptied), HOSTS[:1], PODS))
    assert "firewall-cmd -q --ipset=rancherctl --add-entry=10.0.0.11" in again
    assert again[-1] == "firewall-cmd -q --zone=trusted --add-source=ipset:rancherctl"


def test_rules_are_taken_from_a_firewalld_that_was_stopped() -> None:
    stopped = FirewalldSources(frozenset({SET}), kept=frozenset({PODS}), offline=True)
    assert commands(*plan(replace(NFT, firewalld=stopped), (), "")) == [
        "firewall-offline-cmd -q --zone=trusted --remove-source=ipset:rancherctl",
        "firewall-offline-cmd -q --delete-ipset=rancherctl",
    ]


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
