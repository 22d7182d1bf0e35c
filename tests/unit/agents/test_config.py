"""AgentConfig: agent.json and controller.json as released stay readable and are written unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.agents import config
from rancherctl.errors import UsageError

DATA = Path(__file__).parents[2] / "data" / "agents"
"""Files that release 0.1 (commit bd1e011) wrote on a control-plane host."""
FILES = ("agent.json", "controller.json")


@pytest.mark.parametrize("name", FILES)
def test_a_released_file_is_read_and_written_unchanged(name: str) -> None:
    read = config.load(DATA / name)
    assert read.dump() == (DATA / name).read_text()
    assert (read.node, read.internal, read.http_port, read.lease_seconds) == ("h1", "10.0.0.11", 80, 2.0)
    assert bool(read.owners) == (name == "controller.json")


def test_every_field_survives_the_file() -> None:
    every = replace(
        config.load(DATA / "agent.json"),
        public="192.0.2.1",
        roles=("network",),
        network_mode="none",
        dns_upstreams=("192.0.2.53", "2001:db8::53"),
        dns_stub_domains=(("corp.example", ("10.0.0.53", "10.0.0.54:5353")),),
        dns_max_negative_ttl=5,
        http_port=8080,
        https_port=8443,
        trusted_proxies=("192.0.2.0/24",),
        proxy_protocol=("10.0.0.5/32",),
        external_names=False,
        keys_on_disk=False,
        access_log="all",
        ingress_reserved=(2222, 7000),
        lease_seconds=3.5,
        owners=(("192.0.2.10", ""), ("10.0.0.11", "h1")),
    )
    assert config.parse(json.loads(every.dump())) == every


@pytest.mark.parametrize("missing", [("node",), ("addresses", "internal"), ("dns",), ("lease_seconds",)])
def test_a_file_with_a_missing_part_is_refused(tmp_path: Path, missing: tuple[str, ...]) -> None:
    """An agent that guessed a value could take this host's routes or names away."""
    data = json.loads((DATA / "agent.json").read_text())
    *groups, key = missing
    inner = data
    for group in groups:
        inner = inner[group]
    del inner[key]
    (tmp_path / "agent.json").write_text(json.dumps(data))
    with pytest.raises(UsageError, match="is not valid") as caught:
        config.load(tmp_path / "agent.json")
    assert key in caught.value.why


def test_a_host_without_the_file_is_not_part_of_an_environment(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        config.load(tmp_path / "agent.json")
