"""One host: its files, its command line, its control groups, its processes."""

import os
import stat
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from rancherctl.lab import cgroups, clone, nspawn, power, process
from rancherctl.lab.clone import CloneFile
from rancherctl.lab.command import LabError
from rancherctl.lab.machine import CgroupMount, Cgroups, Machine
from rancherctl.lab.model import Lab, LabSpec
from rancherctl.lab.paths import Roots
from rancherctl.lab.supervisor import START, SUPERVISE

LAB = Lab(LabSpec("two", 2, 2), (IPv4Network("10.77.3.0/24"), IPv4Network("10.77.4.0/24")))
OWN = Roots(Path("/state")).lab("two").host("h2")
MACHINE = Machine(
    Cgroups("v1", (CgroupMount(Path("/cg/memory"), ("memory",)),)), (Path("/dev/kmsg"),), (Path("/lib/modules"),)
)


def texts() -> dict[str, CloneFile]:
    files = clone.files(
        LAB, LAB.host("h2"), machine_id="m" * 32, host_key="PRIVATE", host_key_pub="PUBLIC", authorized="KEY\n"
    )
    return {file.path: file for file in files}


def test_a_host_gets_the_address_and_router_of_its_own_subnet() -> None:
    network = texts()["/etc/systemd/network/10-host0.network"].text
    assert "Address=10.77.4.12/24" in network
    assert "Gateway=10.77.4.1\n" in network
    assert "nameserver 10.77.4.1\n" in texts()["/etc/resolv.conf"].text


def test_private_files_are_private_and_belong_to_their_users() -> None:
    files = texts()
    assert files["/etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert (files["/root/.ssh/authorized_keys"].owner, files["/home/ops/.ssh/authorized_keys"].owner) == (0, 1000)


def test_folders_in_the_layer_keep_the_trees_mode(tmp_path: Path) -> None:
    tree, upper = tmp_path / "tree", tmp_path / "upper"
    (tree / "root").mkdir(parents=True)
    (tree / "root").chmod(0o700)
    upper.mkdir()
    clone.write(upper, tree, CloneFile("/root/.ssh/authorized_keys", "KEY\n", 0o600, os.getuid()))
    assert stat.S_IMODE((upper / "root").stat().st_mode) == 0o700
    assert stat.S_IMODE((upper / "root/.ssh").stat().st_mode) == 0o700
    assert (upper / "root/.ssh/authorized_keys").read_text() == "KEY\n"


def test_an_incomplete_key_is_created_again(tmp_path: Path) -> None:
    key = tmp_path / "id"
    key.write_text("torn")
    clone.keypair(key, "c")
    first = key.read_text()
    clone.keypair(key, "c")
    assert first.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert key.read_text() == first


def test_a_host_can_set_neither_the_clock_nor_load_modules() -> None:
    argv = nspawn.arguments(LAB, LAB.host("h2"), OWN, MACHINE)
    assert "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE" in argv
    assert "--network-bridge=br1" in argv
    assert "--machine=two-h2" in argv
    assert "--bind=/state/two/hosts/h2/var-lib:/var/lib" in argv
    assert argv[-2:] == ["--bind=/dev/kmsg", "--bind-ro=/lib/modules"]


@pytest.mark.parametrize(("mode", "unified"), [("v1", "0"), ("v2", "1")])
def test_the_host_sees_the_machines_kind_of_control_groups(mode: str, unified: str) -> None:
    assert nspawn.environment(mode, Path("/n"))["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] == unified  # type: ignore[arg-type]


def test_the_launcher_joins_groups_first_and_then_the_lab() -> None:
    argv = nspawn.launcher(LAB, LAB.host("h2"), OWN, MACHINE, tree=Path("/tree"), groups=[Path("/cg/memory/x")])
    order = [
        "/state/two/hosts/h2/console.log",
        "--net=/run/netns/rancherctl-lab-two",
        "unshare",
        "/cg/memory/x",
        "/state/two/hosts/h2/root",
        "systemd-nspawn",
    ]
    assert [argv.index(word) for word in order] == sorted(argv.index(word) for word in order)
    assert "lowerdir=/tree,upperdir=/state/two/hosts/h2/upper,workdir=/state/two/hosts/h2/work" in argv


def test_the_console_explains_a_failed_boot(tmp_path: Path) -> None:
    own = Roots(tmp_path).lab("two").host("h2")
    own.root.mkdir(parents=True)
    own.console.write_text("first\n\nmount: wrong fs type\n")
    assert nspawn.died(LAB.host("h2"), own).why == "first / mount: wrong fs type"


@pytest.mark.parametrize("text", [None, "", '{"pid": 4'])
def test_a_host_with_a_missing_or_incomplete_run_file_is_stopped(tmp_path: Path, text: str | None) -> None:
    own = Roots(tmp_path).lab("two").host("h2")
    own.root.mkdir(parents=True)
    if text is not None:
        own.run.write_text(text)
    assert nspawn.supervisor_of(own) is None


def test_empty_cpusets_are_filled_and_groups_are_removed_deepest_first(tmp_path: Path) -> None:
    (tmp_path / "cpuset").mkdir()
    (tmp_path / "memory").mkdir()
    for name, value in {"cpuset.cpus": "0-1\n", "cpuset.mems": "0\n"}.items():
        (tmp_path / "cpuset" / name).write_text(value)
    mounts = (CgroupMount(tmp_path / "memory", ("memory",)), CgroupMount(tmp_path / "cpuset", ("cpuset",)))
    cgroups.create(Cgroups("v1", mounts), "two", "h2")
    assert (tmp_path / "cpuset/rancherctl-lab/two/h2/cpuset.cpus").read_text() == "0-1\n"
    (tmp_path / "memory/rancherctl-lab/two/h2/kubepods/pod1").mkdir(parents=True)
    memory = Cgroups("v1", mounts[:1])
    cgroups.remove(memory, "two", "h2")
    assert not (tmp_path / "memory/rancherctl-lab/two/h2").exists()
    cgroups.remove(memory, "two")
    cgroups.remove(memory, "two")
    cgroups.remove_top(memory)
    assert list((tmp_path / "memory").iterdir()) == []


def test_controllers_of_version_two_are_delegated(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "rancherctl-lab", tmp_path / "rancherctl-lab/two"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text("cpu memory pids\n")
    cgroups.create(Cgroups("v2", (CgroupMount(tmp_path, ()),)), "two", "h2")
    assert (tmp_path / "rancherctl-lab/two/cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_processes_are_those_of_the_host_and_below_in_all_hierarchies(tmp_path: Path) -> None:
    for path, text in {
        "a/rancherctl-lab/two/h2": "7\n8\n",
        "a/rancherctl-lab/two/h2/kubepods": "9\n",
        "b/rancherctl-lab/two/h2": "7\n10\n0\n",
        "a/rancherctl-lab/two/h1": "1\n",
    }.items():
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "cgroup.procs").write_text(text)
    mounts = Cgroups("v1", tuple(CgroupMount(tmp_path / name, ()) for name in "ab"))
    assert cgroups.processes(mounts, "two", "h2") == {7, 8, 9, 10}


def test_groups_that_vanish_while_they_are_listed_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nspawn, or the host's own init in its last moment, removes groups of a host that is being powered off."""
    host = tmp_path / "rancherctl-lab/two/h2"
    listed = os.scandir

    def vanishing(path: str | Path) -> object:
        if Path(path).name == "going":
            Path(path).rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    machine = Cgroups("v1", (CgroupMount(tmp_path, ()),))
    (host / "going").mkdir(parents=True)
    (host / "cgroup.procs").write_text("7\n")
    assert cgroups.processes(machine, "two", "h2") == {7}
    (host / "cgroup.procs").unlink()
    (host / "going").mkdir()
    cgroups.remove(machine, "two", "h2")
    assert not host.exists()


def test_processes_forked_while_a_host_is_killed_are_killed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, killed = iter([frozenset({7, 8}), frozenset({9}), frozenset()]), []
    monkeypatch.setattr(cgroups, "processes", lambda *_: next(lists))
    monkeypatch.setattr(process, "kill", lambda pids, _: killed.append(sorted(pids)))
    power.clear(Cgroups("v1", ()), "two", "h2")
    assert killed == [[7, 8], [9]]


def test_a_killed_process_is_gone_when_kill_returns() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        found = process.identify(child.pid)
        assert found is not None
        assert found.alive()
        process.kill([child.pid], 10)
        assert not found.alive()
        assert child.wait() == -9
    process.kill([child.pid], 1)  # nothing there any more: nothing to do


def test_another_process_of_the_same_pid_is_not_alive() -> None:
    me = process.identify(os.getpid())
    assert me is not None
    assert not process.Process(me.pid, me.started + 1).alive()


def test_child_processes_are_found() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert process.child_of(os.getpid()) is not None
        assert process.child_of(child.pid) is None
        child.kill()


def test_the_wait_ends_at_its_limit() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert process.await_end([child.pid], 0.01) == [child.pid]
        child.kill()


def test_a_group_with_files_left_is_an_error_not_a_loop(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/file").touch()
    with pytest.raises(LabError, match="could not be removed"):
        cgroups.remove_one(tmp_path / "x")


@pytest.mark.parametrize("script", [START, SUPERVISE])
def test_the_scripts_around_a_host_are_valid_shell(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def supervise(tmp_path: Path, statuses: list[int], *, version: str = "v1") -> tuple[int, list[str]]:
    """Run SUPERVISE with a mount that does nothing and a container that ends with one status after another."""
    for name in ("loop", "host"):
        (tmp_path / "g" / name).mkdir(parents=True)
    if version == "v2":
        (tmp_path / "g/host/payload").mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "mount").write_text("#!/bin/sh\n")
    cases = "".join(f"{number}) exit {status};; " for number, status in enumerate(statuses, 1))
    (tools / "container").write_text(
        f"#!/bin/sh\necho boot >> {tmp_path}/log\nrm -f {tmp_path}/g/host/cgroup.procs\n"
        f"case $(wc -l < {tmp_path}/log) in {cases}esac\n"
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    argv = ["sh", "-c", SUPERVISE, "sh", "1", str(tmp_path / "g"), "lowerdir=/t", "/m", "container"]
    done = subprocess.run(argv, env={"PATH": f"{tools}:/usr/bin:/bin"}, check=False, timeout=20)
    return done.returncode, (tmp_path / "log").read_text().split()


def test_a_host_that_rebooted_itself_is_started_again_and_one_that_ended_is_not(tmp_path: Path) -> None:
    assert supervise(tmp_path, [133, 133, 0]) == (0, ["boot"] * 3)


def test_groups_of_the_last_boot_are_removed_before_the_next(tmp_path: Path) -> None:
    assert supervise(tmp_path, [133, 1], version="v2") == (1, ["boot"] * 2)
    assert not (tmp_path / "g/host/payload").exists()
