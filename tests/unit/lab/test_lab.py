"""A lab as remembered, reached, and driven; commands of the machine."""

import errno
import sys
import threading
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from rancherctl.errors import NotFoundError, PartialError, TimeoutExceededError, UsageError
from rancherctl.events import Event
from rancherctl.lab import access, machine, network, ops, state
from rancherctl.lab.clone import clone
from rancherctl.lab.command import LabError, run
from rancherctl.lab.model import Lab, LabHost, LabSpec
from rancherctl.lab.paths import Roots
from rancherctl.lab.session import RunningLab
from rancherctl.lab.steps import Steps
from rancherctl.lab.tree import locked

LAB = Lab(LabSpec("two", 3, 2, bare=True, os="debian12"), (IPv4Network("10.77.3.0/24"), IPv4Network("10.77.4.0/24")))


def test_the_saved_state_is_loaded_unchanged(tmp_path: Path) -> None:
    roots = Roots(tmp_path)
    state.save(roots, LAB, Path("/tree"))
    assert state.load(roots, "two") == (LAB, Path("/tree"))
    assert state.names(roots) == ("two",)
    assert state.taken_networks(roots) == frozenset(LAB.networks)
    assert "firewall" not in (text := roots.lab("two").state.read_text())
    assert "filter" not in text  # a release without them reads the file
    site = replace(LAB, spec=replace(LAB.spec, firewall="ufw", filter_pod_sources=True))
    state.save(roots, site, Path("/tree"))
    assert state.load(roots, "two") == (site, Path("/tree"))


def test_an_unknown_lab_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="lab 'two' does not exist"):
        state.load(Roots(tmp_path), "two")
    assert state.names(Roots(tmp_path / "none")) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        '{"version": 2}',
        '{"version": 1, "name": "two", "spec": {"hosts": 1, "nonsense": 2}}',
        '{"version": 1, "name": "two", "spec": {"hosts": 0}}',
    ],
)
def test_a_damaged_state_file_is_an_error_that_says_how_to_clean_up(tmp_path: Path, text: str) -> None:
    roots = Roots(tmp_path)
    roots.lab("two").root.mkdir()
    roots.lab("two").state.write_text(text)
    with pytest.raises(LabError) as caught:
        state.load(roots, "two")
    assert "down --name two" in caught.value.hint
    assert state.taken_networks(roots) == frozenset()


def test_ssh_config_jumps_to_the_second_subnet_and_trusts_only_the_labs_keys() -> None:
    text = access.ssh_config(LAB, Roots(Path("/s")).lab("two"))
    blocks = dict(block.split("\n", 1) for block in text.strip().split("\n\n"))
    assert "ProxyJump h1" in blocks["Host h2 10.77.4.12"]
    assert "ProxyJump" not in blocks["Host h1 10.77.3.11"]
    assert "UserKnownHostsFile /s/two/known_hosts" in blocks["Host *"]
    assert "StrictHostKeyChecking yes" in blocks["Host *"]


def test_known_hosts_have_names_and_addresses() -> None:
    keys = {name: f"ssh-ed25519 AAAA{name} {name}\n" for name in ("h1", "h2", "h3")}
    assert access.known_hosts(LAB, keys).splitlines()[1] == "h2,10.77.4.12 ssh-ed25519 AAAAh2"


def test_a_lab_describes_how_to_reach_a_host() -> None:
    lab = RunningLab(LAB, Roots(Path("/s")), Steps())
    found = lab.host("h2")
    assert (found.address, found.key, found.via) == ("10.77.4.12", Path("/s/two/id_ed25519"), "h1")
    assert [reach.name for reach in lab.hosts()] == ["h1", "h2", "h3"]


def test_other_folders_beside_labs_are_ignored(tmp_path: Path) -> None:
    for name in ("lost+found", "two", "Old"):
        (tmp_path / name).mkdir()
    assert state.names(Roots(tmp_path)) == ("two",)


@pytest.mark.parametrize("name", ["../two", "", "/etc", "x" * 21])
def test_no_path_leads_out_of_the_labs_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        state.load(Roots(tmp_path), name)


def test_a_killed_removal_leaves_nothing_that_looks_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = Roots(tmp_path)
    paths = roots.lab("two")
    state.save(roots, LAB, Path("/tree"))
    for name in ("h1", "h2"):
        own = paths.host(name)
        own.upper.mkdir(parents=True)
        own.ready.touch()
    paths.key.touch()

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            ops._remove_files(paths)
    assert state.load(roots, "two")[0] == LAB
    assert not any(paths.host(name).ready.exists() for name in ("h1", "h2"))
    ops._remove_files(paths)
    assert state.names(roots) == ()


def test_an_incomplete_clone_is_recreated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the overlay's layer is what is missing: /var/lib must not be copied into the one that was left."""
    paths, tree = Roots(tmp_path / "labs").lab("two"), tmp_path / "tree"
    (tree / "var/lib/dpkg").mkdir(parents=True)
    access.make_key(paths)
    own = paths.host("h1")
    own.var_lib.mkdir(parents=True)
    (own.var_lib / "old").touch()
    monkeypatch.setattr("os.chown", lambda *_: None)
    clone(LAB, LAB.host("h1"), paths, tree)
    assert own.ready.exists()
    assert [entry.name for entry in own.var_lib.iterdir()] == ["dpkg"]


def test_waiting_for_another_process_is_reported(tmp_path: Path) -> None:
    reported: list[str] = []
    with locked(tmp_path / "lock", lambda: reported.append("busy")):
        pass
    assert reported == []
    holder = threading.Event()

    def second() -> None:
        with locked(tmp_path / "lock", lambda: (reported.append("busy"), holder.set())[0]):
            reported.append("mine")

    thread = threading.Thread(target=second)
    with locked(tmp_path / "lock"):
        thread.start()
        assert holder.wait(60)
    thread.join(60)
    assert reported == ["busy", "mine"]


def test_a_host_of_a_lab_without_a_network_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = Roots(tmp_path)
    state.save(roots, LAB, Path("/tree"))
    monkeypatch.setattr(machine, "inspect", lambda: None)
    monkeypatch.setattr(network, "exists", lambda _lab: False)
    with pytest.raises(LabError) as caught:
        ops.start("two", "h1", roots, Steps())
    assert caught.value.hint == "rancherctl lab up --name two"


def fail(*names: str) -> object:
    def action(host: LabHost) -> None:
        if host.name in names:
            raise LabError(f"{host.name} broke", why="because", hint="look")

    return action


def test_failures_of_some_hosts_are_all_reported() -> None:
    with pytest.raises(PartialError) as caught:
        ops._each(LAB.hosts, fail("h1", "h3"), "boot")  # type: ignore[arg-type]
    assert set(caught.value.failures) == {"h1", "h3"}
    assert "2 of 3" in str(caught.value)


def test_the_failure_of_a_single_host_is_unchanged() -> None:
    with pytest.raises(LabError, match="h1 broke"):
        ops._each(LAB.hosts[:1], fail("h1"), "boot")  # type: ignore[arg-type]


def test_a_full_disk_is_reported_with_its_host() -> None:
    def full(host: LabHost) -> None:
        if host.name == "h2":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(PartialError) as caught:
        ops._each(LAB.hosts, full, "files")
    assert "No space left" in caught.value.failures["h2"]


def test_no_further_host_is_started_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    held = threading.Event()

    def interrupted(_futures: object) -> None:
        held.set()
        raise KeyboardInterrupt

    def action(host: LabHost) -> None:
        begun.append(host.name)
        held.wait(60)

    monkeypatch.setattr(ops, "AT_ONCE", 1)
    monkeypatch.setattr(ops, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ops._each(LAB.hosts, action, "boot")
    assert "h3" not in begun


def test_steps_report_durations_and_failures() -> None:
    seen: list[Event] = []
    ticks = iter([1.0, 3.5, 10.0, 11.0])
    steps = Steps(seen.append, lambda: next(ticks))
    with steps.step("boot", "h1"):
        pass
    with pytest.raises(KeyError), steps.step("boot", "h2"):
        raise KeyError
    assert [(e.subject, e.state, e.message) for e in seen] == [
        ("h1", "started", "boot"),
        ("h1", "done", "boot: 2.5 s"),
        ("h2", "started", "boot"),
        ("h2", "failed", "boot: failed after 1.0 s"),
    ]


def test_the_error_of_a_command_has_its_last_line() -> None:
    with pytest.raises(LabError) as caught:
        run([sys.executable, "-c", "import sys; sys.stderr.write('one\\ntwo\\n'); sys.exit(3)"])
    assert (caught.value.why, "status 3" in caught.value.what) == ("two", True)


def test_a_wrapped_command_is_reported_by_its_own_name() -> None:
    with pytest.raises(LabError, match="mmdebstrap failed with status 3"):
        run(["env", "A=1", "sh", "-c", "exit 3"], name="mmdebstrap")


def test_a_logged_command_points_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(LabError) as caught:
        run(["sh", "-c", "echo a; echo b >&2; exit 1"], log=log)
    assert log.read_text() == "a\nb\n"
    assert str(log) in caught.value.hint


def test_a_missing_command_and_a_hanging_one_are_errors() -> None:
    with pytest.raises(LabError, match="cannot run"):
        run(["/nonexistent/program"])
    with pytest.raises(TimeoutExceededError):
        run(["tail", "-f", "/dev/null"], timeout=0.05)
