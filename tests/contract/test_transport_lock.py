"""The operators' lock on hosts in folders: the real program, no waiting."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from rancherctl.errors import LockedError, UnreachableError
from rancherctl.events import Event, ignore
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.host_lock import HostLock, break_lock, show
from rancherctl.hosts.lock_owner import Owner
from rancherctl.hosts.remote_call import HostStepError
from tests.fakes.transport import FakeTransport

ALICE = Owner("alice@laptop", "m1", 11, "1 boot")
BOB = Owner("bob@desk", "m2", 22, "2 boot")


@pytest.fixture
def hosts(tmp_path: Path) -> list[FakeTransport]:
    return [FakeTransport(tmp_path / name, name) for name in ("h2", "h1")]


def lock(hosts: list[FakeTransport], owner: Owner, reason: str = "env apply prod", **more: object) -> HostLock:
    return HostLock(hosts, owner, reason, **more)  # type: ignore[arg-type]


def test_second_operator_sees_who_holds_the_lock_since_when_and_for_what(hosts: list[FakeTransport]) -> None:
    with lock(hosts, ALICE) as first:
        first.verify()
        with pytest.raises(
            LockedError, match=r"h1: the environment is held by alice@laptop \(process 11\) since .* for env apply prod"
        ) as caught:
            lock(hosts, BOB).acquire()
        assert "--break-lock" in caught.value.hint
        assert caught.value.why.startswith("it expires in 1")
        assert caught.value.exit_code == 5
        assert [holder.owner for holder in show(hosts)] == [ALICE, ALICE]
    assert show(hosts) == ()
    with lock(hosts, BOB):
        assert [holder.owner for holder in show(hosts)] == [BOB, BOB]


def test_a_partial_lock_is_released(hosts: list[FakeTransport]) -> None:
    with lock(hosts[:1], ALICE), pytest.raises(LockedError, match="h2"):
        lock(hosts, BOB).acquire()
    assert show(hosts) == ()


def test_an_unreachable_host_releases_the_others(hosts: list[FakeTransport]) -> None:
    def cut(request: dict[str, object]) -> None:
        raise UnreachableError("h2: cut")

    hosts[0].before = cut
    with pytest.raises(UnreachableError):
        lock(hosts, ALICE).acquire()
    assert show(hosts[1:]) == ()


def test_broken_lock_is_noticed_before_the_next_phase(hosts: list[FakeTransport]) -> None:
    with lock(hosts, ALICE) as first:
        events: list[Event] = []
        break_lock(hosts, events.append)
        assert [(event.subject, event.level) for event in events] == [("h2", "warning"), ("h1", "warning")]
        assert all(event.message.startswith("lock broken: it was held by alice@laptop") for event in events)
        with lock(hosts, BOB), pytest.raises(LockedError, match="the lock was lost: it is held by bob@desk"):
            first.verify()
        with pytest.raises(LockedError, match="it expired or was broken"):
            first.verify()


def test_release_leaves_another_owners_lock_alone(hosts: list[FakeTransport]) -> None:
    first = lock(hosts, ALICE)
    first.acquire()
    break_lock(hosts, ignore)
    with lock(hosts, BOB):
        first.release()
        first.release()
        assert [holder.owner for holder in show(hosts)] == [BOB, BOB]


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_at_once(hosts: list[FakeTransport]) -> None:
    lock(hosts, ALICE).acquire()
    with lock(hosts, BOB, alive=lambda owner: owner != ALICE):
        assert [holder.owner for holder in show(hosts)] == [BOB, BOB]


def test_an_expired_lock_and_one_of_another_boot_count_as_absent(hosts: list[FakeTransport]) -> None:
    lock(hosts, ALICE).acquire()
    for host, change in zip(hosts, ({"boot": "before"}, {"expires": 0.0}), strict=True):
        place = host.root / "run/rancherctl/environment.lock"
        place.write_text(json.dumps(json.loads(place.read_text()) | change))
    assert show(hosts) == ()
    with lock(hosts, BOB):
        pass


def test_a_damaged_lock_file_blocks_no_one(hosts: list[FakeTransport]) -> None:
    place = hosts[0].root / "run/rancherctl/environment.lock"
    place.parent.mkdir(parents=True)
    place.write_text("{")
    with lock(hosts, ALICE):
        assert len(show(hosts)) == 2


def test_lock_is_renewed_while_it_is_held(hosts: list[FakeTransport]) -> None:
    renewed = threading.Event()
    with lock(hosts[:1], ALICE, renew_interval=0.0):
        hosts[0].before = lambda request: renewed.set() if request.get("verb") == "renew" else None
        assert renewed.wait(60)


def test_the_second_lock_is_verified_and_released(hosts: list[FakeTransport]) -> None:
    class Second:
        calls: list[str] = []  # noqa: RUF012

        def acquire(self, owner: str, reason: str) -> None:
            self.calls.append(f"acquire {owner} {reason}")

        def verify(self) -> None:
            self.calls.append("verify")

        def release(self) -> None:
            self.calls.append("release")

    with lock(hosts[:1], ALICE) as held:
        held.add(Second())
        held.verify()
    assert Second.calls == ["acquire alice@laptop env apply prod", "verify", "release"]


def test_a_host_lost_before_the_release_is_named(hosts: list[FakeTransport]) -> None:
    held = lock(hosts[:1], ALICE)
    held.acquire()

    def cut(request: dict[str, object]) -> None:
        raise UnreachableError("h2: cut")

    hosts[0].before = cut
    held.release()
    assert held.left_behind == "the lock could not be released on h2: it expires within 120 s"


def test_a_host_that_fails_to_release_does_not_keep_the_lock_on_the_others(hosts: list[FakeTransport]) -> None:
    """Nor does it turn a successful run into a failed one."""

    def broken(request: dict[str, object]) -> None:
        raise HostStepError("h2: lock ended without an answer")

    with lock(hosts, ALICE) as held:
        hosts[0].before = broken
    assert "on h2: it expires" in held.left_behind
    assert show(hosts[1:]) == ()


def test_a_grant_whose_answer_was_lost_is_released(hosts: list[FakeTransport]) -> None:
    """The host granted it and the connection was lost before the answer: the next operator need not wait."""
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


class TestMajority:
    """With ``majority`` more than half of the hosts suffice; a lock of another operator always refuses."""

    @pytest.fixture
    def three(self, tmp_path: Path) -> list[FakeTransport]:
        return [FakeTransport(tmp_path / name, name) for name in ("h1", "h2", "h3")]

    @staticmethod
    def away(host: FakeTransport) -> None:
        def cut(request: dict[str, object]) -> None:
            raise UnreachableError(f"{host.name}: cannot connect")

        host.before = cut

    def test_one_of_three_hosts_may_be_down(self, three: list[FakeTransport]) -> None:
        self.away(three[1])
        with lock(three, ALICE, majority=True) as held:
            held.verify()
            assert held.skipped == {"h2": "h2: cannot connect"}
            assert [holder.host for holder in show([three[0], three[2]])] == ["h1", "h3"]
        assert held.left_behind == ""
        assert show([three[0], three[2]]) == ()

    def test_two_of_three_hosts_down_refuse_and_leave_no_lock(self, three: list[FakeTransport]) -> None:
        self.away(three[1])
        self.away(three[2])
        with pytest.raises(UnreachableError, match="2 of 3 hosts failed"):
            lock(three, ALICE, majority=True).acquire()
        assert show(three[:1]) == ()

    def test_all_are_needed_without_majority(self, three: list[FakeTransport]) -> None:
        self.away(three[2])
        with pytest.raises(UnreachableError, match="h3: cannot connect"):
            lock(three, ALICE).acquire()
        assert show(three[:2]) == ()

    def test_a_minority_held_by_another_refuses(self, three: list[FakeTransport]) -> None:
        with lock(three[2:], BOB):
            with pytest.raises(LockedError, match="h3: the environment is held by bob@desk"):
                lock(three, ALICE, majority=True).acquire()
            assert [holder.owner for holder in show(three)] == [BOB]

    def test_two_operators_who_reach_different_hosts_never_both_succeed(self, three: list[FakeTransport]) -> None:
        self.away(three[0])
        with lock(three, ALICE, majority=True):
            three[0].before = None
            self.away(three[2])
            with pytest.raises(LockedError, match="h2: the environment is held by alice@laptop"):
                lock(three, BOB, majority=True).acquire()
            three[2].before = None

    def test_a_host_that_goes_down_later_is_tolerated(self, three: list[FakeTransport]) -> None:
        with lock(three, ALICE, majority=True) as held:
            self.away(three[0])
            held.verify()
            self.away(three[1])
            with pytest.raises(UnreachableError, match="2 of 3 hosts failed"):
                held.verify()

    def test_a_rebooted_host_is_locked_again(self, three: list[FakeTransport]) -> None:
        with lock(three, ALICE, majority=True) as held:
            (three[1].root / "run/rancherctl/environment.lock").unlink()
            held.verify()
            assert [holder.owner for holder in show(three)] == [ALICE, ALICE, ALICE]

    def test_a_lock_broken_on_most_hosts_is_not_taken_again(self, three: list[FakeTransport]) -> None:
        with lock(three, ALICE, majority=True) as held:
            break_lock(three[:2], ignore)
            with pytest.raises(LockedError, match="h1: the lock was lost: it expired or was broken"):
                held.verify()
            assert [holder.host for holder in show(three)] == ["h3"]

    def test_breaking_warns_of_hosts_that_are_down(self, three: list[FakeTransport]) -> None:
        lock(three, ALICE).acquire()
        self.away(three[0])
        events: list[Event] = []
        break_lock(three, events.append)
        assert events[0].message == "lock not broken: h1: cannot connect"
        assert show(three[1:]) == ()
        for host in three[1:]:
            self.away(host)
        with pytest.raises(UnreachableError):
            break_lock(three, ignore)
