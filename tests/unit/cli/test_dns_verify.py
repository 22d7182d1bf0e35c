"""Arguments and exit codes of `dns verify`."""

from __future__ import annotations

import pytest

from rancherctl.cli import dns_verify
from rancherctl.cli.context import CommandRun
from rancherctl.cli.dns_verify import Target, server_address
from rancherctl.dns.operator.checklist import Check, Judgement
from rancherctl.dns.operator.fixture import Fixture
from rancherctl.dns.operator.verification import CheckResult
from rancherctl.errors import PartialError, UnhealthyError, UsageError
from rancherctl.settings import Terminals, load

FIXTURE = Fixture("cluster.local", "0a0b0c", {"cluster": ("10.43.0.7",)})
CHECK = Check("2.2", "TXT with the schema version", "dns-version.cluster.local.", "TXT", "exactly", ('"1.1.0"',))


def cli() -> CommandRun:
    return CommandRun(load({}, {"HOME": "/nonexistent"}, Terminals(stdin=False, stdout=False, stderr=False)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.96.0.10", "10.96.0.10:53"),
        ("10.96.0.10:5353", "10.96.0.10:5353"),
        ("fd00::a", "[fd00::a]:53"),
        ("[fd00::a]:5353", "[fd00::a]:5353"),
    ],
)
def test_a_server_is_an_address_with_or_without_port(text: str, expected: str) -> None:
    assert server_address(text) == expected


@pytest.mark.parametrize("text", ["kube-dns", "10.96.0.10:0", "10.96.0.10:x", "10.96.0.10:", "fe80::1%eth0", ""])
def test_other_texts_are_not_servers(text: str) -> None:
    with pytest.raises(UsageError, match="is not a valid server"):
        server_address(text)


def test_a_cluster_of_another_context_needs_a_server() -> None:
    with pytest.raises(UsageError, match="--context requires --server"):
        dns_verify.verify(cli(), Target(None, "kind"), server="", domain="", timeout=1)
    with pytest.raises(UsageError, match="not a valid domain"):
        dns_verify.verify(cli(), Target(None, "kind"), server="127.0.0.1", domain="a b", timeout=1)


def report(*passed: bool, failures: dict[str, str] | None = None) -> None:
    results = [CheckResult(CHECK, {("h1", "10.43.0.10"): Judgement(one, "answer")}) for one in passed]
    dns_verify._report(cli(), results, FIXTURE, failures or {})


def test_all_checks_passed(capsys: pytest.CaptureFixture[str]) -> None:
    report(True, True)
    assert capsys.readouterr().err == "2 of 2 checks passed (1 server asked)\n"


def test_a_failed_check_is_exit_code_1_and_comes_before_missing_hosts() -> None:
    with pytest.raises(UnhealthyError) as caught:
        report(True, False, failures={"h2": "cannot connect"})
    assert caught.value.exit_code == 1
    assert "check  2: TXT with the schema version" in str(caught.value)
    assert "1 check of 2 failed" in str(caught.value)


def test_hosts_that_could_not_be_asked_make_the_result_partial() -> None:
    with pytest.raises(PartialError) as caught:
        report(True, failures={"h2": "cannot connect"})
    assert caught.value.exit_code == 6
