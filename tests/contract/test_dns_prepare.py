"""prepare.sh, which runs as root before named: with real BIND tools, in folders like a host's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.dns import named_conf, upstream_health
from rancherctl.dns.install import resources
from rancherctl.dns.model import DnsHostConfig
from rancherctl.hosts.model import File

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as on a host")


@pytest.fixture
def host() -> Iterator[DnsHostConfig]:
    """A configuration and a data folder that the user bind reaches (pytest's own folders it does not)."""
    top = Path(tempfile.mkdtemp(prefix="rancherctl-prepare-"))
    top.chmod(0o755)
    config = DnsHostConfig("h1", etc=str(top / "etc"), data=str(top / "data"), upstreams=("192.0.2.53",))
    for folder in (config.etc, config.data):
        Path(folder).mkdir()
    shutil.chown(config.data, "root", "bind")
    Path(config.data).chmod(0o2770)
    for one in resources(config):
        if isinstance(one, File) and one.path.startswith(config.etc):
            Path(one.path).write_bytes(one.content)
    yield config
    shutil.rmtree(top)


def prepare(config: DnsHostConfig, *upstreams: str, resolv_conf: str = "/nowhere") -> str:
    """Run it as the unit does; the list of upstreams afterwards."""
    Path(config.etc, "upstreams").write_text("".join(f"{upstream}\n" for upstream in upstreams))
    words = ["/bin/sh", f"{config.etc}/prepare.sh", config.etc, config.data, ",".join(config.addresses)]
    subprocess.run(words, check=True, timeout=30, env={**os.environ, "RESOLV_CONF": resolv_conf})
    file = Path(config.forwarders_file)
    assert (file.owner(), file.group(), file.stat().st_mode & 0o777) == ("root", "bind", 0o660)
    return " ".join(file.read_text().split())


def test_a_first_start_has_a_key_and_the_configured_upstreams(host: DnsHostConfig) -> None:
    assert prepare(host, "192.0.2.53 port 5353", "2001:db8::53") == (
        "forward only; forwarders { 192.0.2.53 port 5353; };"
    ), "only the first: the server would prefer the faster"
    key = Path(host.key_file)
    assert (key.group(), key.stat().st_mode & 0o777) == ("bind", 0o640)
    first = key.read_text()
    assert "192.0.2.53" in prepare(host, "192.0.2.99"), "a list that can be read is the agent's"
    assert key.read_text() == first


def test_a_damaged_list_is_rewritten(host: DnsHostConfig) -> None:
    prepare(host, "192.0.2.53")
    Path(host.forwarders_file).write_text("forwarders { 192.0.2.5")
    assert prepare(host, "192.0.2.53") == "forward only; forwarders { 192.0.2.53; };"


def test_an_address_that_named_refuses_does_not_keep_it_from_starting(host: DnsHostConfig) -> None:
    assert prepare(host, "192.0.2.300") == "forward only; forwarders { 127.0.0.1 port 9; };"
    subprocess.run(["named-checkconf", f"{host.etc}/named.conf"], check=True, timeout=30)


RESOLV_CONFS = {
    "the host's own resolver": (["10.0.0.2"], ["10.0.0.3"], "10.0.0.2"),
    "the stub of systemd-resolved": (["127.0.0.53"], ["10.0.0.3", "2001:db8::1"], "10.0.0.3"),
    "this server": (["10.43.0.10", "169.254.20.10", "::1"], [], "127.0.0.1 port 9"),
    "this server first": (["10.43.0.10", "10.0.0.2"], ["10.0.0.3"], "10.0.0.2"),
    "a cloud's resolver": (["169.254.169.253"], [], "169.254.169.253"),
    "none": ([], [], "127.0.0.1 port 9"),
}


@pytest.mark.parametrize("case", sorted(RESOLV_CONFS))
def test_the_host_s_own_resolvers_as_the_agent_finds_them(
    host: DnsHostConfig, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, wanted = RESOLV_CONFS[case]
    files = [tmp_path / "etc", tmp_path / "systemd"]
    for file, servers in zip(files, (first, second), strict=True):
        file.write_text("".join(f"nameserver {server}\n" for server in servers))
    assert prepare(host, resolv_conf=" ".join(map(str, files))) == f"forward only; forwarders {{ {wanted}; }};"
    monkeypatch.setattr(upstream_health, "RESOLV_CONF", files)
    assert (*upstream_health.host_upstreams(host.addresses), named_conf.NOWHERE)[0] == wanted


def test_stub_domains_of_a_new_configuration_can_be_read_before_the_agent_knows_them(host: DnsHostConfig) -> None:
    """As ``systemctl reload`` calls it, after apply has added the first stub domain."""
    prepare(host, "192.0.2.53")
    log = Path(host.data) / named_conf.STARTS
    log.write_text("running")
    stubs = replace(host, stub_domains={"corp.example": ("192.0.2.7:5353", "192.0.2.8")})
    for one in resources(stubs):
        if isinstance(one, File) and one.path.startswith(host.etc):
            Path(one.path).write_bytes(one.content)
    words = ["/bin/sh", f"{host.etc}/prepare.sh", host.etc, host.data, ",".join(host.addresses), "reload"]
    subprocess.run(words, check=True, timeout=30, env={**os.environ, "RESOLV_CONF": "/nowhere"})
    assert "forwarders { 192.0.2.7 port 5353; };" in Path(stubs.stubs_file).read_text()
    subprocess.run(["named-checkconf", f"{host.etc}/named.conf"], check=True, timeout=30)
    assert log.read_text() == "running", "the log of the running process"
    Path(stubs.stubs_file).write_text(named_conf.stub_zones({"corp.example": ("192.0.2.8",)}))
    subprocess.run(words, check=True, timeout=30, env={**os.environ, "RESOLV_CONF": "/nowhere"})
    assert "192.0.2.8" in Path(stubs.stubs_file).read_text(), "the agent's choice is kept"


@pytest.mark.parametrize("name", ["forwarders.conf", "forwarders.conf.new", "starts.log"])
def test_root_does_not_write_where_the_server_points(host: DnsHostConfig, name: str) -> None:
    """The server may write the data folder: a link there must not lead root to another file."""
    victim = Path(host.etc) / "victim"
    victim.write_text("mine")
    (Path(host.data) / name).symlink_to(victim)
    prepare(host, "192.0.2.53")
    assert victim.read_text() == "mine"
    assert not Path(host.forwarders_file).is_symlink()
