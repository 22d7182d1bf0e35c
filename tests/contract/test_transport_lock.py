"""The operators' lock on hosts in folders: the real program, no waiting."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from rancherctl.errors import LockedError, UnreachableError
from rancherctl.events import Event, ignore
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.remote_call import HostStepError
from rancherctl.hosts.host_lock import HostLock, Owner, break_lock, show, this_process
from tests.fakes.transport import FakeTransport

ALICE = Owner("alice@laptop", "m1", 11, "1 boot")
BOB = Owner("bob@desk", "m2", 22, "2 boot")


@pytest.fixture
def hosts(tmp_path: Path) -> list[FakeTransport]:
    return [FakeTransport(tmp_path / name, name) for name in ("h2", "h1")]


def lock(hosts: list[FakeTransport], owner: Owner, reason: str = "env apply prod", **more: object) -> HostLock:
    return HostLock(hosts, owner, reason, **more)  # type: ignore[arg-type]


def test_second_operator_is_told_who_since_when_and_for_what(hosts: list[FakeTransport]) -> None:
    with lock(hosts, ALICE) as first:
        first.verify()
        with pytest.raises(
            LockedError, match=r"h1: the environment is held by alice@laptop \(process 11\) since .* for env apply prod"
        ) as caught:
            lock(hosts, BOB).acquire()
        assert "--break-lock" in caught.value.hint
        assert caught.value.why.startswith("it runs out in 1")
        assert caught.value.exit_code == 5
        assert [holder.owner for holder in show(hosts)] == [ALICE, ALICE]
    assert show(hosts) == ()
    with lock(hosts, BOB):
        assert [holder.owner for holder in show(hosts)] == [BOB, BOB]


def test_half_a_lock_is_given_back(hosts: list[FakeTransport]) -> None:
    with lock(hosts[:1], ALICE), pytest.raises(LockedError, match="h2"):
        lock(hosts, BOB).acquire()
    assert show(hosts) == ()


def test_unreachable_host_gives_back_the_others(hosts: list[FakeTransport]) -> None:
    def cut(request: dict[str, object]) -> None:
        raise UnreachableError("h2: cut")

    hosts[0].before = cut
    with pytest.raises(UnreachableError):
        lock(hosts, ALICE).acquire()
    assert show(hosts[1:]) == ()


def test_broken_lock_is_noticed_before_the_next_phase(hosts: list[FakeTransport]) -> None:
    with lock(hosts, ALICE) as first:
        told: list[Event] = []
        break_lock(hosts, told.append)
        assert [(event.subject, event.level) for event in told] == [("h2", "warning"), ("h1", "warning")]
        assert all(event.message.startswith("broken: it was held by alice@laptop") for event in told)
        with lock(hosts, BOB), pytest.raises(LockedError, match="no longer ours: it is held by bob@desk"):
            first.verify()
        with pytest.raises(LockedError, match="it ran out or was broken"):
            first.verify()


def test_release_leaves_somebody_elses_lock_alone(hosts: list[FakeTransport]) -> None:
    first = lock(hosts, ALICE)
    first.acquire()
    break_lock(hosts, ignore)
    with lock(hosts, BOB):
        first.release()
        first.release()
        assert [holder.owner for holder in show(hosts)] == [BOB, BOB]


def test_dead_process_of_this_machine_is_followed_at_once(hosts: list[FakeTransport]) -> None:
    lock(hosts, ALICE).acquire()
    with lock(hosts, BOB, alive=lambda owner: owner != ALICE):
        assert [holder.owner for holder in show(hosts)] == [BOB, BOB]


def test_lock_of_another_boot_or_run_out_counts_as_absent(hosts: list[FakeTransport]) -> None:
    lock(hosts, ALICE).acquire()
    for host, change in zip(hosts, ({"boot": "before"}, {"expires": 0.0}), strict=True):
        place = host.root / "run/rancherctl/environment.lock"
        place.write_text(json.dumps(json.loads(place.read_text()) | change))
    assert show(hosts) == ()
    with lock(hosts, BOB):
        pass


def test_damaged_lock_blocks_nobody(hosts: list[FakeTransport]) -> None:
    place = hosts[0].root / "run/rancherctl/environment.lock"
    place.parent.mkdir(parents=True)
    place.write_text("{")
    with lock(hosts, ALICE):
        assert len(show(hosts)) == 2


def test_lock_is_renewed_while_it_is_held(hosts: list[FakeTransport]) -> None:
    renewed = threading.Event()
    with lock(hosts[:1], ALICE, beat=0.0):
        hosts[0].before = lambda request: renewed.set() if request.get("verb") == "renew" else None
        assert renewed.wait(60)


def test_further_lock_is_verified_and_released(hosts: list[FakeTransport]) -> None:
    class Further:
        said: list[str] = []  # noqa: RUF012

        def acquire(self, owner: str, reason: str) -> None:
            self.said.append(f"acquire {owner} {reason}")

        def verify(self) -> None:
            self.said.append("verify")

        def release(self) -> None:
            self.said.append("release")

    with lock(hosts[:1], ALICE) as held:
        held.also(Further())
        held.verify()
    assert Further.said == ["acquire alice@laptop env apply prod", "verify", "release"]


def test_host_lost_at_the_end_is_named(hosts: list[FakeTransport]) -> None:
    held = lock(hosts[:1], ALICE)
    held.acquire()

    def cut(request: dict[str, object]) -> None:
        raise UnreachableError("h2: cut")

    hosts[0].before = cut
    held.release()
    assert held.left_behind == "the lock could not be given back on h2: it runs out there within 120 s"


def test_one_host_that_fails_keeps_no_lock_on_the_others(hosts: list[FakeTransport]) -> None:
    """And it does not turn a run that was done into one that failed."""

    def broken(request: dict[str, object]) -> None:
        raise HostStepError("h2: a step on the host ended without an answer")

    with lock(hosts, ALICE) as held:
        hosts[0].before = broken
    assert "on h2: it runs out there" in held.left_behind
    assert show(hosts[1:]) == ()


def test_a_yes_that_was_lost_on_the_way_is_given_back(hosts: list[FakeTransport]) -> None:
    """The host has granted it, the connection was cut before the answer came: nobody has to wait until it runs out."""
    run = hosts[0].run

    def cut(command: Command, *, check: bool = True) -> Result:
        result = run(command, check=check)
        if b'"verb": "acquire"' in (command.stdin or b""):
            raise UnreachableError("h2: the connection was cut")
        return result

    hosts[0].run = cut  # type: ignore[method-assign]
    with pytest.raises(UnreachableError):
        lock(hosts, ALICE).acquire()
    hosts[0].run = run  # type: ignore[method-assign]
    assert show(hosts) == ()


def test_this_process_lives_and_an_ended_one_does_not() -> None:
    from rancherctl.hosts.host_lock import lives

    me = this_process("me@here")
    assert lives(me)
    assert not lives(Owner("x", me.machine, 2**22 + 1, "1 boot"))
    assert lives(Owner("x", "another machine", 2**22 + 1, "1 boot"))
    assert lives(Owner("x", me.machine.partition(" ")[0] + " pid:[1]", 2**22 + 1, "1 boot")), (
        "another container of this image"
    )


def test_a_process_that_proc_hides_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """hidepid: what another user of this machine runs is not seen, but it is there."""
    from rancherctl.hosts import host_lock

    me = this_process("me@here")
    monkeypatch.setattr(host_lock, "_start_of", lambda pid: "")
    monkeypatch.setattr("os.kill", _refused)
    assert host_lock.lives(me)
    monkeypatch.setattr("os.kill", _nobody)
    assert not host_lock.lives(me)


def _refused(pid: int, number: int) -> None:
    raise PermissionError


def _nobody(pid: int, number: int) -> None:
    raise ProcessLookupError
