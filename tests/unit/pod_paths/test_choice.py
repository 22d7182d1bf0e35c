"""Which hosts ask which."""

from __future__ import annotations

from rancherctl.pod_paths.choice import ALL_PAIRS, SAMPLE, asked_now, peers_of

FIFTY = [f"h{number}" for number in range(1, 51)]


def test_a_few_hosts_ask_each_other() -> None:
    assert peers_of("h1", ["h1"]) == ()
    assert peers_of("h1", ["h3", "h1", "h2", "h4"]) == ("h2", "h3", "h4")


def test_in_a_large_environment_each_host_asks_three_and_is_asked() -> None:
    asked = {host: peers_of(host, FIFTY) for host in FIFTY}
    assert {len(peers) for peers in asked.values()} == {3}
    assert all(host not in peers for host, peers in asked.items())
    assert {peer for peers in asked.values() for peer in peers} == set(FIFTY)


def test_a_host_that_joins_changes_few_choices() -> None:
    before = {host: peers_of(host, FIFTY) for host in FIFTY}
    after = {host: peers_of(host, [*FIFTY, "h51"]) for host in FIFTY}
    kept = sum(len(set(before[host]) & set(after[host])) for host in FIFTY)
    assert kept >= 140, "of 150"
    assert any("h51" in peers for peers in after.values())


def test_on_request_all_pairs_up_to_twenty_hosts_then_a_sample() -> None:
    assert len(asked_now("h1", FIFTY[:ALL_PAIRS])) == ALL_PAIRS - 1
    assert len(asked_now("h1", FIFTY)) == SAMPLE
