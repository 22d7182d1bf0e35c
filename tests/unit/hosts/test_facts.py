"""Facts from recorded output.

``REGENERATE=1 pytest tests/unit/hosts/test_facts.py`` regenerates the expected values: review the difference.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.fact_commands import FACT_COMMANDS, script_text, sections
from rancherctl.hosts.facts import HostFacts, parse, read_facts

DATA = Path("tests/data/hosts/facts")
CASES = sorted(path.name for path in DATA.iterdir())
B = "boundary"


def output_of(case: str) -> str:
    """What the script would print; a command without a file fails with status 1."""
    parts = ["Welcome to this machine."]
    for fact in FACT_COMMANDS:
        path = DATA / case / f"{fact.name}.txt"
        text = path.read_text() if path.exists() else ""
        parts.append(f"\n{B} begin {fact.name}\n{text}\n{B} end {0 if path.exists() else 1}")
    return "\n".join(parts) + "\n"


def plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("case", CASES)
def test_the_output_of_a_recorded_host_is_parsed_into_its_facts(case: str) -> None:
    facts = plain(parse(output_of(case), B, 1000.0, 1001.0))
    golden = DATA / case / "facts.json"
    if os.environ.get("REGENERATE"):
        golden.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    assert facts == json.loads(golden.read_text())


def test_the_most_important_facts_of_a_busy_host() -> None:
    facts = parse(output_of("ubuntu2404-busy"), B, 0, 0)
    assert facts.units is not None
    assert facts.listeners is not None
    assert {name for name, unit in facts.units.items() if unit.active == "active"} == {"docker", "named"}
    assert {(one.protocol, one.port) for one in facts.listeners} >= {("tcp", 80), ("udp", 53), ("tcp", 53), ("tcp", 22)}
    assert [one.processes for one in facts.listeners if one.port == 80] == [("nginx", "nginx: worker (x)")]
    assert facts.swap_bytes == 8388604 * 1024
    assert facts.arch == "arm64"
    assert facts.cgroup == 2
    assert facts.may_raise_limits is True
    assert facts.chains == ("filter/KUBE-FIREWALL", "nat/DOCKER", "nat/KUBE-SERVICES")
    assert facts.packages == {"docker.io": "27.5.1-0ubuntu3~24.04.2"}
    assert facts.candidates == {"haproxy": "2.8.5-1ubuntu3.4", "docker.io": "27.5.1-0ubuntu3~24.04.2"}
    assert facts.macs == {"bond0": "3c:ec:ef:00:00:01", "docker0": "02:42:00:00:00:01"}
    assert facts.marker == {"environment": "prod", "host": "h7"}


def test_unexpected_output_is_unknown_and_never_no() -> None:
    facts = parse(output_of("odd"), B, 0, 0)
    known = {field.name for field in dataclasses.fields(facts) if getattr(facts, field.name) is not None} - {"unread"}
    assert known == set()
    assert set(facts.unread) == {fact.name for fact in FACT_COMMANDS}
    assert facts.may_raise_limits is None


def test_truncated_output_leaves_the_rest_unknown() -> None:
    text = output_of("debian13")
    facts = parse(text[: text.index(f"{B} end", text.index("begin hostname"))], B, 0, 0)
    assert facts.os_id == "debian"
    assert facts.hostname is None
    assert facts.unread["hostname"] == "no answer"


@given(st.dictionaries(st.sampled_from([fact.name for fact in FACT_COMMANDS]), st.text(max_size=200)))
def test_any_output_is_parsed_or_unread(outputs: dict[str, str]) -> None:
    text = "".join(f"\n{B} begin {name}\n{said}\n{B} end 0\n" for name, said in outputs.items())
    assert isinstance(parse(text, B, 0, 0), HostFacts)


def test_every_command_has_its_section_in_the_script() -> None:
    text = script_text()
    assert all(f" begin {fact.name}\\n" in text for fact in FACT_COMMANDS)
    assert len({fact.name for fact in FACT_COMMANDS}) == len(FACT_COMMANDS)
    assert sections(f"x\n{B} begin a\n1\n\n{B} end 3\n", B) == {"a": (3, "1")}


def test_skew_is_measured_against_the_local_clock() -> None:
    class Host:
        name = "h1"

        def run(self, command: Command, *, check: bool = True) -> Result:
            boundary = command.argv[-1]
            return Result(command, 0, f"{boundary} begin clock\n1300.5\n{boundary} end 0\n".encode(), b"")

    times = iter([1000.0, 1001.0])
    facts = read_facts(Host(), now=lambda: next(times))  # type: ignore[arg-type]
    assert (facts.skew, facts.skew_error) == (300.0, 0.5)


@pytest.mark.parametrize(("status", "known"), [(0, True), (1, True), (2, False)])
def test_a_broken_package_database_does_not_mean_nothing_installed(tmp_path: Path, status: int, *, known: bool) -> None:
    tool = tmp_path / "dpkg-query"
    tool.write_text(f"#!/bin/sh\nprintf 'runc\\tinstalled\\t1.1\\n'\nexit {status}\n")
    tool.chmod(0o755)
    fact = next(fact for fact in FACT_COMMANDS if fact.name == "packages")
    done = subprocess.run(
        ["sh", "-c", fact.text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is known
    assert fact.parser(done.stdout) == {"packages": {"runc": "1.1"}}
