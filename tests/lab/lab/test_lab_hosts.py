"""Real labs on this machine: boot, power, cable, two side by side, offline packages, and complete removal."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.lab import access, ops, process, state
from rancherctl.lab.command import LabError
from rancherctl.lab.model import LabSpec
from rancherctl.lab.paths import STATE_ROOT, Roots
from rancherctl.lab.session import RunningLab, open_lab, running_lab
from rancherctl.lab.steps import Steps
from tests.lab.support import BIN, GIVE_UP, lab_name

pytestmark = pytest.mark.lab

NAME = lab_name("t")


@dataclass(frozen=True, slots=True)
class Traces:
    """What a running lab adds to a machine."""

    namespaces: frozenset[str]
    mounts: frozenset[str]
    groups: frozenset[str]
    processes: frozenset[str]
    folders: frozenset[str]


def traces(name: str) -> Traces:
    """Everything on this machine with the lab's name, except zombies, which the machine's init has to reap."""
    processes: set[str] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "cmdline").read_text(errors="replace") + (folder / "cgroup").read_text(
                    errors="replace"
                )
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            fields = process.stat(int(folder.name))
            of_lab = f"{name}-h" in text or f"rancherctl-lab/{name}" in text
            if of_lab and fields is not None and fields[0] != "Z":
                processes.add(text)
    mounts = Path("/proc/mounts").read_text().splitlines()
    # Groups of other labs may vanish at any time: os.walk skips them.
    groups = [path for path, _, _ in os.walk("/sys/fs/cgroup") if path.endswith(f"rancherctl-lab/{name}")]
    netns = Path("/run/netns")
    runtime = Path("/run/systemd/nspawn")
    return Traces(
        frozenset(entry.name for entry in netns.iterdir() if name in entry.name) if netns.is_dir() else frozenset(),
        frozenset(line for line in mounts if name in line),
        frozenset(groups),
        frozenset(processes),
        frozenset(map(str, runtime.glob(f"*/{name}-*")))
        | frozenset(str(p) for p in STATE_ROOT.iterdir() if p.name == name),
    )


NOTHING = Traces(*(frozenset() for _ in range(5)))


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running_lab(f"{NAME}a", 2) as found:
        yield found


def test_hosts_boot_with_their_own_names_addresses_and_keys(lab: RunningLab) -> None:
    for reach in lab.hosts():
        assert lab.ssh(reach.name, "hostname").strip() == reach.name
        assert lab.ssh(reach.name, "systemctl is-system-running --wait").strip() == "running"
        assert f"{reach.address}/24" in lab.ssh(reach.name, "ip -br address show dev host0")
    first, second = lab.hosts()
    assert "1 received" in lab.ssh("h1", f"ping -c 1 -W 20 {second.address}")
    ids = {lab.ssh(name, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") for name in ("h1", "h2")}
    assert len(ids) == 2
    assert [row.state for row in lab.status()] == ["running", "running"]
    assert first.via == ""


def test_ops_needs_a_password_for_sudo(lab: RunningLab) -> None:
    ssh = ["ssh", "-F", str(lab.paths.ssh_config), "-l", "ops", "h1"]
    refused = subprocess.run([*ssh, "sudo -n true"], capture_output=True, text=True, timeout=GIVE_UP, check=False)
    assert refused.returncode != 0
    assert "password is required" in refused.stderr
    given = subprocess.run(
        [*ssh, "sudo -S -p '' id -u"], input="ops\n", capture_output=True, text=True, timeout=GIVE_UP, check=False
    )
    assert given.stdout == "0\n"


def test_hosts_have_the_kernel_features_that_kubelet_and_runc_need(lab: RunningLab) -> None:
    script = """
    set -eu
    test "$(cat /proc/sys/vm/overcommit_memory) $(cat /proc/sys/kernel/panic)" = "1 10"
    echo 1 > /proc/sys/vm/overcommit_memory
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then top=/sys/fs/cgroup; else top=/sys/fs/cgroup/memory; fi
    mkdir $top/labtest; sleep 60 & echo $! > $top/labtest/cgroup.procs; kill $!; wait $! || true
    until rmdir $top/labtest 2>/dev/null; do sleep 0.05; done
    d=/var/lib/labtest; mkdir -p $d/l $d/u $d/w $d/m
    mount -t overlay overlay -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w $d/m
    umount $d/m; rm -r $d
    ip netns add labtest; ip link add labtest type veth peer name eth0 netns labtest
    ip link del labtest; ip netns del labtest
    nft add table inet labtest; nft delete table inet labtest
    test -c /dev/kmsg
    """
    lab.ssh("h1", script)


def test_a_host_cannot_set_the_clock_of_the_machine(lab: RunningLab) -> None:
    before = time.time()
    with pytest.raises(LabError, match="not permitted"):
        lab.ssh("h1", "date -s '2001-01-01'")
    assert time.time() >= before


DNS_QUERY = """
import socket
server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.settimeout(60)
    sock.connect((server, 53))
    sock.send(bytes(12))
    sock.recv(512)
"""


def test_outgoing_traffic_is_refused_at_once(lab: RunningLab) -> None:
    """Clients do not wait for a timeout."""
    with pytest.raises(LabError, match="status 7"):  # status 28 would be a timeout
        lab.ssh("h1", "curl -sS --max-time 60 http://192.0.2.1/")
    with pytest.raises(LabError, match="Connection refused"):
        lab.ssh("h1", "python3 -", stdin=DNS_QUERY)
    with pytest.raises(LabError):
        lab.ssh("h1", "getent hosts name.example")


def test_a_second_up_changes_nothing(lab: RunningLab) -> None:
    before = [row.pid for row in lab.status()]
    ops.up(lab.lab.spec, lab.roots, Steps())
    assert [row.pid for row in lab.status()] == before


def test_another_shape_under_the_same_name_is_refused(lab: RunningLab) -> None:
    with pytest.raises(ConflictError):
        ops.up(LabSpec(lab.lab.name, 1), lab.roots, Steps())
    assert len(lab.status()) == 2


def test_power_off_is_hard_and_the_disk_is_kept(lab: RunningLab) -> None:
    lab.ssh(
        "h2",
        "echo kept > /root/kept; sync; systemd-run -q --unit farewell -p ExecStop='touch /root/farewell' sleep 1000",
    )
    lab.stop("h2")
    assert [row.state for row in lab.status()] == ["running", "stopped"]
    with (
        pytest.raises(OSError),
        socket.create_connection((lab.host("h2").address, 22), 2),
    ):  # a host without power does not answer
        pass
    lab.stop("h2")
    lab.start("h2")
    assert lab.ssh("h2", "cat /root/kept").strip() == "kept"
    assert lab.ssh("h2", "ls /root") == "kept\n"


def test_a_host_reboots_itself(lab: RunningLab) -> None:
    before = lab.ssh("h2", "cat /proc/sys/kernel/random/boot_id; ip link add gone type bridge")
    leader = lab.status()[1].pid
    assert leader is not None
    lab.ssh("h2", "reboot")
    assert process.await_end([leader], GIVE_UP) == []
    access.answers(lab.paths, lab.lab.host("h2"))
    after = lab.ssh("h2", "cat /proc/sys/kernel/random/boot_id; ip link show gone 2>&1 || true")
    assert before.split()[0] != after.split()[0]
    assert "does not exist" in after


def test_a_cut_host_is_unreachable_until_healed(lab: RunningLab) -> None:
    lab.cut("h2")
    assert [row.state for row in lab.status()] == ["running", "cut"]
    assert "0 received" in lab.ssh("h1", f"ping -c 1 -W 1 {lab.host('h2').address} || true")
    lab.heal("h2")
    assert "1 received" in lab.ssh("h1", f"ping -c 1 -W 20 {lab.host('h2').address}")


def test_two_labs_side_by_side_do_not_see_each_other(lab: RunningLab) -> None:
    with running_lab(f"{NAME}b", 2, subnets=2) as other:
        assert not {reach.address for reach in lab.hosts()} & {reach.address for reach in other.hosts()}
        assert other.host("h2").via == "h1"
        assert other.ssh("h2", "hostname").strip() == "h2"
        assert "1 received" in other.ssh("h1", f"ping -c 1 -W 20 {other.host('h2').address}")
        with pytest.raises(LabError):
            other.ssh("h1", f"ping -c 1 -W 1 {lab.host('h1').address}")
        # Pod addresses must not pass the router: a pod network between the subnets has to encapsulate.
        other.ssh("h1", "ip address add 10.42.7.1/32 dev lo")
        with pytest.raises(LabError):
            other.ssh("h1", f"ping -c 1 -W 1 -I 10.42.7.1 {other.host('h2').address}")
    assert traces(f"{NAME}b") == NOTHING
    assert lab.ssh("h1", "hostname").strip() == "h1"


@pytest.mark.parametrize("system", ["debian13", "debian12"])
def test_packages_install_on_a_bare_host_without_internet_access(system: str) -> None:
    with running_lab(f"{NAME}-{system[-2:]}", 1, bare=True, os=system) as found:  # type: ignore[arg-type]
        assert found.ssh("h1", "for p in haproxy named runc nft conntrack; do command -v $p || true; done") == ""
        found.ssh(
            "h1",
            "apt-get -q update && DEBIAN_FRONTEND=noninteractive "
            "apt-get -q install -y haproxy bind9 bind9-dnsutils runc conntrack nftables",
            timeout=600,
        )
        assert found.ssh("h1", "haproxy -v; named -v; runc --version; nft --version; conntrack --version")
        assert found.ssh("h1", "systemctl is-active haproxy").strip() == "active"
    assert traces(f"{NAME}-{system[-2:]}") == NOTHING


def test_up_repairs_a_crashed_lab_and_down_removes_a_damaged_one() -> None:
    name = f"{NAME}c"
    roots = Roots()
    try:
        found = RunningLab(ops.up(LabSpec(name, 2), roots, Steps()), roots, Steps())
        subprocess.run(["ip", "netns", "delete", found.lab.netns], check=True, timeout=GIVE_UP)
        (found.paths.host("h1").ready).unlink()
        found.paths.host("h2").run.write_text("{")
        ops.up(found.lab.spec, roots, Steps())
        assert [found.ssh(host.name, "hostname").strip() for host in found.hosts()] == ["h1", "h2"]
        assert traces(name) != NOTHING
        found.paths.state.write_text("torn")
        found.paths.host("h1").run.unlink()
        with pytest.raises(LabError, match="cannot read"):
            open_lab(name)
    finally:
        assert ops.down(name, roots, Steps())
    assert traces(name) == NOTHING
    with pytest.raises(NotFoundError):
        open_lab(name)
    assert not ops.down(name, roots, Steps())
    assert name not in state.names(roots)


def killed_at(words: str, home: Path, *argv: str) -> None:
    """Run the command line and kill it as soon as it prints these words."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("RANCHERCTL_", "XDG_"))}
    environment = keep | {"HOME": str(home), "RANCHERCTL_PROGRESS": "plain"}
    with subprocess.Popen(
        [str(BIN / "rancherctl"), "lab", *argv], stderr=subprocess.PIPE, text=True, env=environment
    ) as command:
        assert command.stderr is not None
        printed = next((line for line in command.stderr if words in line), "")
        command.kill()
    assert printed, f"lab {' '.join(argv)} did not print {words!r}"


@pytest.mark.slow
@pytest.mark.parametrize("words", ["network", "files of", "boot"])
def test_the_next_up_completes_what_a_killed_up_or_down_left(words: str, tmp_path: Path) -> None:
    name, roots = lab_name("t"), Roots()
    try:
        killed_at(words, tmp_path, "up", "--name", name, "--hosts", "2")
        found = RunningLab(ops.up(LabSpec(name, 2), roots, Steps()), roots, Steps())
        assert [found.ssh(host.name, "hostname").strip() for host in found.hosts()] == ["h1", "h2"]
        killed_at("remove lab", tmp_path, "down", "--name", name)
        found = RunningLab(ops.up(LabSpec(name, 2), roots, Steps()), roots, Steps())
        assert [found.ssh(host.name, "hostname").strip() for host in found.hosts()] == ["h1", "h2"]
    finally:
        ops.down(name, roots, Steps())
    assert traces(name) == NOTHING


def test_down_leaves_nothing_of_a_lab_with_a_stopped_and_a_busy_host() -> None:
    name = f"{NAME}d"
    with running_lab(name, 2) as found:
        link = Path("/sys/class/net") / found.lab.machine_link
        assert link.exists()
        found.stop("h2")
        found.ssh(
            "h1",
            "mkdir -p /run/x; mount -t tmpfs x /run/x; ip netns add busy; "
            "systemd-run -q --unit busy ip netns exec busy sleep 1000",
        )
        seen = traces(name)
        assert seen.namespaces
        assert seen.groups
        assert seen.processes
    assert traces(name) == NOTHING
    assert not link.exists()
