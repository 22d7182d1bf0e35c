"""Hosts over real ssh: sshd, sudo, systemd, apt, a jump host, lost connections and power loss."""

from __future__ import annotations

import difflib
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.events import ignore
from rancherctl.hosts.apply import ApplyError, apply
from rancherctl.hosts.command import Secret, command, script
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.facts import read_facts
from rancherctl.hosts.fanout import each
from rancherctl.hosts.host_lock import HostLock, show
from rancherctl.hosts.lock_owner import this_process
from rancherctl.hosts.model import (
    Absent,
    Artefact,
    Directory,
    File,
    Host,
    Link,
    Package,
    Resource,
    SshAddress,
    Unit,
    User,
)
from rancherctl.hosts.observe import observe
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.plan import describe, plan
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.remote_call import HostStepError
from rancherctl.hosts.remove import remove
from rancherctl.hosts.ssh.factory import SshTransports
from rancherctl.hosts.ssh_configurations import SshConfigurations
from rancherctl.hosts.transport import Transport
from rancherctl.lab.session import RunningLab, running_lab
from tests.lab.support import lab_name

UNIT_FILE = "/etc/systemd/system/rancherctl-a.service"
PATHS = ("/etc/rancherctl", "/opt/rancherctl", "/var/lib/rancherctl")


@dataclass
class Stage:
    """A lab of two bare hosts; the second is reached through the first."""

    lab: RunningLab
    connections: Connections

    def host(self, name: str, user: str = "root") -> Host:
        return Host(
            f"{name}-{user}", "", frozenset(), SshAddress(name, user=user, config=str(self.lab.host(name).ssh_config))
        )

    def transport(self, name: str, user: str = "root") -> Transport:
        return self.connections.transport(self.host(name, user))


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running_lab(lab_name("tr"), 2, subnets=2, bare=True) as lab:
        yield lab


@pytest.fixture
def client() -> str:
    """The ssh client; tests that try both have it as a parameter."""
    return "paramiko"


@pytest.fixture
def stage(lab: RunningLab, client: str) -> Iterator[Stage]:
    prompts = Prompts(sudo=lambda login: Secret("ops"))
    factory = (OpenSshTransports if client == "openssh" else SshTransports)(prompts, SshConfigurations().settings)
    with Connections(prompts, factory) as connections:
        yield Stage(lab, connections)


def apply_resources(transport: Transport, *resources: Resource) -> list[str]:
    changes = plan(resources, observe(transport, resources))
    apply(transport, changes, resources, ignore)
    assert not plan(resources, observe(transport, resources))
    return [describe(change)[0] for change in changes]


def unit_pair(config: str, start: str = "/bin/true", *, enabled: bool = True) -> tuple[Resource, ...]:
    text = f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={start}\n[Install]\nWantedBy=multi-user.target\n"
    files = (File(UNIT_FILE, text.encode()), File("/etc/rancherctl/a.conf", config.encode()))
    return (*files, Unit("rancherctl-a.service", enabled=enabled, restart_on=(UNIT_FILE, "/etc/rancherctl/a.conf")))


def everything_of(transport: Transport) -> list[str]:
    """Packages, users, units and files in system folders, all of which removal must restore."""
    text = script(
        "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'; getent passwd; getent group; "
        "find /etc /opt /usr/local /var/lib -path /var/lib/apt -prune -o -path /var/lib/dpkg -prune "
        "-o -path /var/lib/systemd -prune -o -path /etc/ld.so.cache -prune -o -printf '%p %y %m %u\\n'"
    )
    return sorted(transport.run(text).text().splitlines())


@pytest.mark.parametrize(
    ("client", "name", "user"),
    [
        ("paramiko", "h1", "root"),
        ("openssh", "h1", "ops"),
        ("openssh", "h2", "root"),
        ("paramiko", "h2", "ops"),
    ],
)
def test_apply_twice_then_remove_restores_the_host(stage: Stage, tmp_path: Path, name: str, user: str) -> None:
    transport = stage.transport(name, user)
    before = everything_of(transport)
    source = tmp_path / "binary"
    source.write_bytes(os.urandom(20_000_000))
    sha = hashlib.sha256(source.read_bytes()).hexdigest()
    resources: tuple[Resource, ...] = (
        Package("haproxy", mask=("haproxy.service",)),
        User("rancherctl-x"),
        Directory("/var/lib/rancherctl/x", 0o750, "rancherctl-x:rancherctl-x"),
        Artefact("/opt/rancherctl/x/1.0/bin/x", source, sha, 20_000_000),
        Link("/opt/rancherctl/x/current", "1.0"),
        File("/etc/rancherctl/key", b"SECRET", 0o600, secret=True),
        Absent("/etc/rancherctl/old"),
        *unit_pair("one"),
    )
    apply_resources(transport, *resources)
    assert (
        transport.run(script("systemctl is-active rancherctl-a; systemctl is-enabled rancherctl-a")).text()
        == "active\nenabled"
    )
    assert transport.run(script("systemctl is-active haproxy || true")).text() == "inactive"
    assert (
        transport.run(command("stat", "-c", "%a %U", "/opt/rancherctl/x/1.0/bin/x", "/var/lib/rancherctl/x")).text()
        == "755 root\n750 rancherctl-x"
    )
    assert apply_resources(transport, *resources) == []
    changed = (*resources[:-3], *unit_pair("two"))
    assert (
        apply_resources(transport, *changed)[-1]
        == "restart unit rancherctl-a.service (restart: /etc/rancherctl/a.conf)"
    )
    remove(transport, ignore, units=["rancherctl-*"], paths=PATHS, packages=True, users=True)
    assert list(difflib.unified_diff(before, everything_of(transport), lineterm="", n=0)) == []
    assert remove(transport, ignore, units=["rancherctl-*"], paths=PATHS, packages=True, users=True) == ()


def test_an_install_killed_midway_is_repaired_and_its_packages_are_removed(stage: Stage) -> None:
    transport = stage.transport("h1")
    packages = (
        Package("bind9", mask=("named.service", "bind9.service")),
        Package("nftables", mask=("nftables.service",)),
    )
    before = everything_of(transport)
    changes = plan(packages, observe(transport, packages))
    programs = ("python3", "apt-get", "dpkg")
    kill = "; ".join(
        ["while ! pgrep -x dpkg >/dev/null; do :; done", *(f"pkill -9 -x {name} || true" for name in programs)]
    )
    killer = threading.Thread(target=transport.run, args=(script(kill),))
    killer.start()
    with pytest.raises((HostStepError, ApplyError)):
        apply(transport, changes, packages, ignore)
    killer.join()
    apply_resources(transport, *packages)
    remove(transport, ignore, packages=True, paths=PATHS)
    assert list(difflib.unified_diff(before, everything_of(transport), lineterm="", n=0)) == []


HOLD = """
import fcntl, os, time
fd = os.open('/var/lib/apt/lists/lock', os.O_RDWR | os.O_CREAT)
fcntl.lockf(fd, fcntl.LOCK_EX)
mine = ':%d ' % os.fstat(fd).st_ino
open('/run/held', 'w').close()
# Until another process waits for it: the kernel marks blocked locks with an arrow.
while not any('->' in line and mine in line for line in open('/proc/locks')):
    time.sleep(0.05)
"""


def test_apply_waits_for_another_process_that_fetches_package_lists(stage: Stage) -> None:
    transport = stage.transport("h1")
    # Package lists of a file: repository are links.
    transport.run(script("find /var/lib/apt/lists ! -type d ! -name lock -delete; rm -f /var/cache/apt/*.bin"))
    holder = threading.Thread(target=transport.run, args=(command("python3", "-c", HOLD, timeout=600),))
    holder.start()
    transport.run(script("while ! test -e /run/held; do :; done; rm /run/held"))
    apply_resources(transport, Package("conntrack"))
    holder.join()
    remove(transport, ignore, packages=True, paths=PATHS)


def test_a_power_loss_between_file_and_restart_is_recovered(stage: Stage) -> None:
    transport = stage.transport("h1")
    apply_resources(transport, *unit_pair("one", enabled=False))
    slow = unit_pair("two", start="/bin/sh -c 'test -e /etc/rancherctl/go || sleep 300'", enabled=False)
    changes = plan(slow, observe(transport, slow))

    def power() -> None:
        with Connections() as own:
            own.transport(stage.host("h1")).run(script(f"while ! grep -q sleep {UNIT_FILE}; do :; done"))
        stage.lab.stop("h1")

    thread = threading.Thread(target=power)
    thread.start()
    # Either the connection or systemd ends first.
    with pytest.raises((UnreachableError, ApplyError)):
        apply(transport, changes, slow, ignore)
    thread.join()
    stage.lab.start("h1")
    # Another process started it with the new files: the record of the last start by apply still names the old ones.
    transport.run(script("mkdir -p /etc/rancherctl; touch /etc/rancherctl/go; systemctl start rancherctl-a"))
    assert apply_resources(transport, *slow)[-1].startswith("restart unit rancherctl-a.service (restart: ")
    assert transport.run(command("systemctl", "is-active", "rancherctl-a")).text() == "active"
    remove(transport, ignore, units=["rancherctl-*"], paths=PATHS)


@pytest.mark.slow
@pytest.mark.parametrize("client", ["paramiko", "openssh"])
def test_an_interrupted_upload_is_resumed(lab: RunningLab, stage: Stage, tmp_path: Path) -> None:
    source = tmp_path / "big"
    source.write_bytes(os.urandom(120_000_000))
    transport = stage.transport("h1")
    cut = threading.Event()

    def progress(done: int, total: int) -> None:
        if done > 60_000_000 and not cut.is_set():
            lab.cut("h1")
            cut.set()

    with pytest.raises(UnreachableError):
        transport.upload(source, "/opt/rancherctl/big", progress=progress)
    lab.heal("h1")
    seen: list[int] = []
    transport.upload(source, "/opt/rancherctl/big", progress=lambda done, total: seen.append(done))
    assert seen[0] > 30_000_000
    assert (
        transport.run(command("sha256sum", "/opt/rancherctl/big")).text().split()[0]
        == hashlib.sha256(source.read_bytes()).hexdigest()
    )
    transport.run(command("rm", "-r", "/opt/rancherctl"))


def test_a_full_disk_fails_before_the_units(stage: Stage, tmp_path: Path) -> None:
    transport = stage.transport("h1")
    transport.run(
        script(
            "mkdir -p /etc/rancherctl; mount -t tmpfs -o size=64k full /etc/rancherctl; "
            "head -c 64k /dev/zero >/etc/rancherctl/fill || true"
        )
    )
    try:
        resources = unit_pair("x" * 5000)
        with pytest.raises(ApplyError, match="No space left on device") as caught:
            apply(transport, plan(resources, observe(transport, resources)), resources, ignore)
        assert "free space" in caught.value.hint
        assert transport.run(script("systemctl is-active rancherctl-a || true")).text() == "inactive"
        source = tmp_path / "x"
        source.write_bytes(bytes(200_000))
        with pytest.raises(
            HostStepError, match=r"200000 bytes do not fit on the file system of /etc/rancherctl/x: \d+ are free"
        ):
            transport.upload(source, "/etc/rancherctl/x")
    finally:
        transport.run(command("umount", "/etc/rancherctl"))
    apply_resources(transport, *resources)
    remove(transport, ignore, units=["rancherctl-*"], paths=PATHS)


def test_a_unit_that_fails_is_reported_with_its_own_log_line(stage: Stage) -> None:
    transport = stage.transport("h1")
    resources = unit_pair("x", start="/bin/sh -c 'echo the port is taken; exit 3'")
    with pytest.raises(ApplyError, match="the port is taken"):
        apply(transport, plan(resources, observe(transport, resources)), resources, ignore)
    apply_resources(transport, *unit_pair("x"))
    remove(transport, ignore, units=["rancherctl-*"], paths=PATHS)


def test_a_unit_that_is_restarted_at_once_is_reported_with_the_line_that_ended_it(stage: Stage) -> None:
    """It logs many lines around the cause, and its next process runs by the time the journal is read."""
    transport = stage.transport("h1")
    cause = 'E1128 13:57:00.495879 1 run.go:72] "command failed" err="open audit.log: permission denied"'
    program = f"""noise() {{ seq -f 'W1128 13:57:00.495510 1 logging.go:55] grpc: no connection, try %g' "$1"; }}
        noise 300; echo '{cause}'; noise 20; exit 1"""
    text = "[Service]\nType=notify\nExecStart=/bin/sh /etc/rancherctl/a.conf\nRestart=always\nRestartSec=0\n"
    resources: tuple[Resource, ...] = (
        File(UNIT_FILE, text.encode()),
        File("/etc/rancherctl/a.conf", program.encode()),
        Unit("rancherctl-a.service", enabled=False, restart_on=(UNIT_FILE,)),
    )
    with pytest.raises(ApplyError) as caught:
        apply(transport, plan(resources, observe(transport, resources)), resources, ignore)
    assert caught.value.why.endswith(f"; its log says: {cause}")
    remove(transport, ignore, units=["rancherctl-*"], paths=PATHS)


def test_a_wrong_sudo_password_and_a_wrong_host_key_are_refused(lab: RunningLab, stage: Stage, tmp_path: Path) -> None:
    with (
        Connections(Prompts(sudo=lambda login: Secret("wrong"))) as connections,
        pytest.raises(AuthError, match="sudo password is wrong"),
    ):
        connections.transport(stage.host("h1", "ops")).run(command("id"))
    reach = lab.host("h1")
    known = tmp_path / "known_hosts"
    kind = reach.known_hosts.read_text().split()[1]
    known.write_text(f"{reach.address} {kind} AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
    address = SshAddress(reach.address, user="root", identity=str(reach.key), known_hosts=str(known))
    with Connections() as connections, pytest.raises(AuthError, match=f"{known}:1 has another key"):
        connections.address(address).run(command("id"))


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
def test_more_connections_than_the_server_accepts_at_once_all_succeed(stage: Stage) -> None:
    many = [Host(f"c{number}", "", frozenset(), stage.host("h1").ssh) for number in range(30)]
    outcomes = each(many, lambda host: stage.connections.transport(host).run(command("hostname")).text())
    assert {name: outcome.value for name, outcome in outcomes.items()} == {host.name: "h1" for host in many}


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
def test_more_commands_than_the_server_allows_sessions_all_succeed(stage: Stage) -> None:
    transport = stage.transport("h2")
    many = [Host(f"c{number}", "", frozenset(), stage.host("h2").ssh) for number in range(30)]
    outcomes = each(many, lambda host: transport.run(script("sleep 0.1; echo $1", host.name)).text())
    assert {name: outcome.error or outcome.value for name, outcome in outcomes.items()} == {
        name: name for name in outcomes
    }


def test_facts_of_a_bare_host_are_read(stage: Stage) -> None:
    facts = read_facts(stage.transport("h2", "ops"))
    assert facts.unread == {}
    assert (facts.hostname, facts.os_id, facts.marker) == ("h2", "debian", {})
    assert facts.packages is not None
    assert "haproxy" not in facts.packages
    assert facts.candidates is not None
    assert facts.systemd_state == "running"
    assert facts.features is not None
    assert facts.features["nf_tables"]
    assert facts.skew is not None
    assert facts.skew_error is not None
    assert abs(facts.skew) <= facts.skew_error + 0.1, "one clock"


def test_a_reboot_ends_the_lock_on_its_host_only(lab: RunningLab, stage: Stage) -> None:
    transports = [stage.transport("h2"), stage.transport("h1")]
    lock = HostLock(transports, this_process("me@here"), "env apply")
    lock.acquire()
    lock.verify()
    lab.reboot("h2")
    assert [holder.host for holder in show(transports)] == ["h1-root"]
    lock.release()
    assert show(transports) == ()
