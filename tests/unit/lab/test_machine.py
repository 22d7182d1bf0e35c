"""Facts of the machine: control groups, root, programs, inotify."""

from pathlib import Path

import pytest

from rancherctl.errors import PreflightError, UsageError
from rancherctl.lab import inotify, machine
from rancherctl.lab.machine import CgroupMount, parse_cgroups

V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
V2 = (
    "proc /proc proc rw 0 0\n"
    "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n"
)


def test_version_one_uses_every_hierarchy_including_the_unified_one() -> None:
    found = parse_cgroups(V1)
    assert found.mode == "v1"
    assert found.mounts == (
        CgroupMount(Path("/sys/fs/cgroup/cpu,cpuacct"), ("cpu", "cpuacct")),
        CgroupMount(Path("/sys/fs/cgroup/memory"), ("memory",)),
        CgroupMount(Path("/sys/fs/cgroup/systemd"), ("name=systemd",)),
        CgroupMount(Path("/sys/fs/cgroup/unified"), ()),
    )


def test_version_two_is_one_hierarchy() -> None:
    found = parse_cgroups(V2)
    assert found.mode == "v2"
    assert found.mounts == (CgroupMount(Path("/sys/fs/cgroup"), ()),)


def test_a_named_hierarchy_alone_does_not_mean_version_one() -> None:
    hybrid = "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert parse_cgroups(hybrid).mode == "v2"


def test_missing_control_groups_are_an_error() -> None:
    with pytest.raises(PreflightError, match="control groups"):
        parse_cgroups("proc /proc proc rw 0 0\n")


def test_without_root_the_error_suggests_sudo_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError) as caught:
        machine.inspect()
    assert "sudo" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_system_other_than_linux_is_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UsageError, match="needs Linux"):
        machine.inspect()


def test_all_missing_programs_are_named_at_once_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: None if program in {"nft", "mmdebstrap"} else f"/bin/{program}")
    with pytest.raises(PreflightError) as caught:
        machine.inspect()
    assert caught.value.hint == "apt-get install mmdebstrap nftables"


def test_inotify_is_mentioned_only_if_an_environment_would_not_fit() -> None:
    assert inotify.shortage(128, 20, 4) == ""
    text = inotify.shortage(128, 100, 4)
    assert "100 of 128" in text
    assert "needs 47 more" in text
    assert "max_user_instances=512" in text


def test_inotify_instances_are_counted_over_open_files(tmp_path: Path) -> None:
    for pid, targets in {
        "10": ["anon_inode:inotify", "/dev/null"],
        "11": ["anon_inode:inotify"],
        "self": ["anon_inode:inotify"],
    }.items():
        folder = tmp_path / pid / "fd"
        folder.mkdir(parents=True)
        for number, target in enumerate(targets):
            (folder / str(number)).symlink_to(target)
    expected = 2 if (tmp_path / "10").stat().st_uid == 0 else 0
    assert inotify.in_use(tmp_path) == expected


def test_setup_installs_every_program_that_a_lab_needs() -> None:
    listed = (Path(__file__).resolve().parents[3] / "scripts" / "packages.txt").read_text(encoding="utf-8").splitlines()
    installed = {line.partition("#")[0].strip() for line in listed}
    essential = {"apt", "util-linux"}  # part of every Debian
    assert set(machine.PROGRAMS.values()) - essential <= installed
