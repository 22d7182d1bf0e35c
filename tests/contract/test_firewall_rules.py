"""Rules of rancherctl in chains of a real nft, in a network namespace: added, found again, restored and removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from rancherctl.hosts import firewall_rules
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.transport import CommandFailedError, Transport

HOSTS, PODS = ("10.77.0.11", "10.77.0.12", "10.77.0.13"), "10.42.0.0/16"
RULESET = """
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    tcp dport 22 accept
    ip saddr 10.42.9.0/24 log prefix "pods: "
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ct state established accept
    counter jump refuse
  }
  chain refuse {
    log
    reject with icmpx admin-prohibited
  }
  chain output {
    type filter hook output priority 0; policy accept;
  }
}
table inet fail2ban {
  chain input {
    type filter hook input priority -1; policy accept;
    ip saddr { 192.0.2.1, 192.0.2.2 } drop
  }
}
table ip kube-proxy {
  chain filter-input {
    type filter hook input priority 0; policy drop;
  }
}
"""
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft for a network namespace"
)


class Namespace(Transport):
    """Runs commands in a network namespace of its own, which ends with its process."""

    name = "h1"

    def __init__(self, process: int) -> None:
        self._enter = ("nsenter", f"--net=/proc/{process}/ns/net", "--")

    def run(self, command: Command, *, check: bool = True) -> Result:
        done = subprocess.run(
            [*self._enter, *command.argv], input=command.stdin or b"", capture_output=True, timeout=30, check=False
        )
        result = Result(command, done.returncode, done.stdout, done.stderr)
        if check and done.returncode:
            raise CommandFailedError(self.name, result)
        return result

    def nft(self, text: str) -> str:
        done = subprocess.run([*self._enter, "nft", "-s", *text.split()], capture_output=True, check=True)
        return done.stdout.decode()

    def load(self) -> None:
        subprocess.run([*self._enter, "nft", "-f", "-"], input=RULESET.encode(), check=True)


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host with a firewall of nft and tables of other programs."""
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ready\n")
        process.stdin.flush()
        process.stdout.readline()  # cat runs, so the namespace exists
        namespace = Namespace(process.pid)  # type: ignore[abstract]  # nothing is uploaded
        namespace.load()
        yield namespace
        process.stdin.close()


def test_rules_are_added_to_the_chains_that_deny_and_to_no_other(host: Namespace) -> None:
    before = host.nft("list ruleset")
    changes = firewall_rules.plan(firewall_rules.read(host), HOSTS, PODS)
    assert [change.name.partition(":")[0] for change in changes] == [
        "nft inet filter forward",
        "nft inet filter input",
    ]
    firewall_rules.apply(host, changes)
    text = host.nft("list chain inet filter input")
    assert text.index("ip saddr { 10.42.0.0/16, 10.77.0.11") < text.index("tcp dport 22 accept")
    assert firewall_rules.plan(firewall_rules.read(host), HOSTS, PODS) == ()
    assert firewall_rules.vanished(firewall_rules.read(host), HOSTS, PODS) == ()

    firewall_rules.apply(host, firewall_rules.plan(firewall_rules.read(host), HOSTS[:2], PODS))
    assert "10.77.0.13" not in host.nft("list ruleset")
    assert len(firewall_rules.close(host)) == 2
    assert host.nft("list ruleset") == before
    assert firewall_rules.close(host) == ()


def test_what_a_load_of_the_firewalls_file_removed_is_restored_with_the_same_rules(host: Namespace) -> None:
    firewall_rules.apply(host, firewall_rules.plan(firewall_rules.read(host), HOSTS, PODS))
    opened = host.nft("list ruleset")
    host.load()
    lost = firewall_rules.vanished(firewall_rules.read(host), HOSTS, PODS)
    assert len(lost) == 2
    firewall_rules.apply(host, lost)
    assert host.nft("list ruleset") == opened
