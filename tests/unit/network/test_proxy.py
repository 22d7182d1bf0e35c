"""kube-proxy is restarted when its rules are gone, not while it starts, not for ever, and not where it does not run."""

import struct

from rancherctl.hosts.command import Command, Result
from rancherctl.network.kube_proxy import START_GRACE, KubeProxyWatchdog
from rancherctl.network.watch import is_relevant

WHOLE = "table ip kube-proxy {\n\tchain services {\n\t\tip daddr . meta l4proto . th dport vmap @service-ips\n\t}\n}\n"
EMPTY = "table ip kube-proxy {\n\tchain services {\n\t}\n}\n"


class KubeProxyHost:
    """Answers the three commands of the guard and fails on any other."""

    def __init__(self, listing: str | None, state: str = "active", since: float = 0.0) -> None:
        self.listing, self.state, self.since = listing, state, since
        self.restarts = 0

    def run(self, wanted: Command, *, check: bool = True) -> Result:
        words = [str(w) for w in wanted.argv]
        if words[0] == "nft":
            return (
                Result(wanted, 0, (self.listing or "").encode(), b"")
                if self.listing is not None
                else Result(wanted, 1, b"", b"No such file or directory")
            )
        if words[:2] == ["systemctl", "show"]:
            return Result(
                wanted,
                0,
                f"ActiveState={self.state}\nActiveEnterTimestampMonotonic={int(self.since * 1e6)}\n".encode(),
                b"",
            )
        assert words == ["systemctl", "try-restart", "--no-block", "rancherctl-kube-proxy.service"]
        self.restarts += 1
        return Result(wanted, 0, b"", b"")


def restarts(host: KubeProxyHost, *moments: float) -> int:
    """Restarts after a look at each moment."""
    now = [0.0]
    guard = KubeProxyWatchdog(host, lambda: now[0])  # type: ignore[arg-type]
    for moment in moments:
        now[0] = moment
        guard.check()
    assert guard.restarts == host.restarts
    return host.restarts


def test_existing_rules_cause_no_restart() -> None:
    assert restarts(KubeProxyHost(WHOLE), 100.0, 200.0) == 0


def test_a_missing_table_or_rule_causes_a_restart() -> None:
    assert restarts(KubeProxyHost(None), 100.0) == 1
    assert restarts(KubeProxyHost(EMPTY), 100.0) == 1


def test_a_restart_is_not_repeated_while_rules_are_written() -> None:
    assert restarts(KubeProxyHost(None), 100.0, 101.0, 100.0 + START_GRACE - 0.1) == 1
    assert restarts(KubeProxyHost(None), 100.0, 100.0 + START_GRACE) == 2


def test_a_kube_proxy_that_has_just_started_gets_time() -> None:
    assert restarts(KubeProxyHost(None, since=99.0), 100.0) == 0


def test_without_kube_proxy_nothing_is_done() -> None:
    assert restarts(KubeProxyHost(None, state="inactive"), 100.0) == 0


def message(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), 10 << 8 | kind, 0, 0, 0) + body


def test_changes_of_own_tables_and_deletions_by_others_wake_the_watchdog() -> None:
    delete_table, new_rule = 2, 6
    ours, theirs = b"\x00\x00rancherctl_network\x00", b"\x00\x00kube-proxy\x00"
    assert is_relevant(b"")
    assert is_relevant(message(new_rule, ours))
    assert not is_relevant(message(new_rule, theirs))
    assert not is_relevant(message(new_rule, b"other\x00"))
    assert is_relevant(message(new_rule, theirs) + message(delete_table, theirs))
    assert not is_relevant(message(new_rule, theirs) + message(delete_table, b"other\x00"))
    assert is_relevant(message(8, theirs + b"....services\x00")), "the rules of its dispatching chain were flushed"
    assert not is_relevant(message(8, theirs + b"....service-ABC\x00")), "as it does itself all the time"


def test_rules_that_existed_and_vanish_cause_a_restart_at_once() -> None:
    host, now = KubeProxyHost(WHOLE, since=99.0), [100.0]
    guard = KubeProxyWatchdog(host, lambda: now[0])  # type: ignore[arg-type]
    assert not guard.check()
    host.listing, now[0] = None, 101.0
    assert guard.check()
    now[0] = 102.0
    assert not guard.check(), "the restarted one gets its time"
    host.listing, now[0] = WHOLE, 103.0
    assert not guard.check()
    host.listing, now[0] = EMPTY, 104.0
    assert guard.check(), "a second flush is a second loss"
