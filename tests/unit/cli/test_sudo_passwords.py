"""Where sudo passwords come from (file, keyring, terminal), and what is stored."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rancherctl.cli.sudo_passwords import SudoPasswords
from rancherctl.credentials.store import Keyring, KeyringUnusableError, SecretStore
from rancherctl.errors import AuthError
from rancherctl.hosts.prompts import SudoLogin
from rancherctl.secret import Secret

H1, H2 = SudoLogin("ops", "h1", "10.0.0.1"), SudoLogin("ops", "h2", "10.0.0.2")
H1_ELSEWHERE = SudoLogin("ops", "h1", "10.9.9.9")


@dataclass(frozen=True, slots=True)
class FakeKeyring(Keyring):
    """A keyring in memory; ``broken`` is why it cannot be used."""

    held: dict[str, str] = field(default_factory=dict)
    broken: str = ""

    def call(self, operation: str, key: str, value: str = "") -> Secret | None:
        if self.broken:
            raise KeyringUnusableError("the keyring does not answer", why=self.broken)
        if operation == "set":
            self.held[key] = value
        elif operation == "delete":
            self.held.pop(key, None)
        elif key in self.held:
            return Secret(self.held[key])
        return None


class Person:
    """Answers prompts in order; fails on an unexpected one."""

    def __init__(self, *answers: str, keep: bool | None = None) -> None:
        self._answers: Iterator[str] = iter(answers)
        self._keep = keep
        self.seen: list[str] = []

    def ask(self, prompt: str) -> Secret | None:
        self.seen.append(prompt)
        return Secret(next(self._answers)) or None

    def yes(self, question: str) -> bool:
        self.seen.append(question)
        assert self._keep is not None
        return self._keep

    def passwords(self, store: SecretStore, given: str = "") -> SudoPasswords:
        return SudoPasswords(Secret(given) if given else None, store, self.ask, self.yes, self.seen.append)


@pytest.fixture
def ring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def store(tmp_path: Path, ring: FakeKeyring) -> SecretStore:
    return SecretStore(tmp_path / "secrets.json", ring, pytest.fail)


def script(store: SecretStore) -> SudoPasswords:
    return SudoPasswords(None, store, None, None, pytest.fail)


def keep(store: SecretStore, login: SudoLogin, password: str) -> None:
    person = Person(password, keep=True)
    passwords = person.passwords(store)
    passwords.accepted(login, passwords.password(login) or Secret(""))


def test_a_typed_password_is_stored_and_used_by_later_runs(
    store: SecretStore, tmp_path: Path, ring: FakeKeyring
) -> None:
    keep(store, H1, "pw")
    assert script(store).password(H1) == "pw"
    assert ring.held == {"sudo/ops@10.0.0.1:22": "pw"}
    assert "pw" not in (tmp_path / "secrets.json").read_text().replace("passwords", "")


def test_another_host_of_the_same_name_is_another_login(store: SecretStore) -> None:
    keep(store, H1, "pw")
    assert script(store).password(H1_ELSEWHERE) is None


def test_a_refused_storage_stores_nothing_and_asks_once_per_run(store: SecretStore, ring: FakeKeyring) -> None:
    person = Person("a", "b", keep=False)
    passwords = person.passwords(store)
    for login in (H1, H2):
        passwords.accepted(login, passwords.password(login) or Secret(""))
    assert ring.held == {}
    assert person.seen.count("Store sudo passwords in the keyring?") == 1


def test_a_wrong_stored_password_is_replaced_by_the_typed_one(store: SecretStore, ring: FakeKeyring) -> None:
    keep(store, H1, "old")
    person = Person("new")
    passwords = person.passwords(store)
    old = passwords.password(H1)
    assert old == "old"
    assert passwords.refused(H1, old)
    new = passwords.password(H1)
    assert new == "new"
    passwords.accepted(H1, new)
    assert person.seen == ["ops@h1: the stored sudo password is wrong", "sudo password for ops@h1: "]
    assert ring.held == {"sudo/ops@10.0.0.1:22": "new"}


def test_a_wrong_stored_password_fails_a_script_with_4(store: SecretStore, ring: FakeKeyring) -> None:
    keep(store, H1, "old")
    passwords = script(store)
    with pytest.raises(AuthError, match="stored") as caught:
        passwords.refused(H1, passwords.password(H1) or Secret(""))
    assert caught.value.exit_code == 4
    assert "old" not in f"{caught.value} {caught.value.hint}"
    assert ring.held == {"sudo/ops@10.0.0.1:22": "old"}


def test_three_tries_and_no_more(store: SecretStore) -> None:
    passwords = Person("1", "2", "3").passwords(store)
    assert [passwords.refused(H1, passwords.password(H1) or Secret("")) for _ in range(3)] == [True, True, False]


def test_enter_repeats_the_password_of_the_last_host(store: SecretStore) -> None:
    person = Person("pw", "")
    passwords = person.passwords(store)
    assert [passwords.password(H1), passwords.password(H2)] == ["pw", "pw"]
    assert person.seen[-1] == "sudo password for ops@h2 (Enter: same as ops@h1): "


def test_after_a_wrong_one_the_other_hosts_new_password_is_offered(store: SecretStore) -> None:
    person = Person("wrong", "", "right", "")
    passwords = person.passwords(store)
    for login in (H1, H2, H1, H2):
        password = passwords.password(login)
        assert password is not None
        if password == "wrong":
            assert passwords.refused(login, password)
    assert password == "right"
    assert person.seen[-1] == "sudo password for ops@h2 (Enter: same as ops@h1): "


def test_a_password_file_takes_precedence_and_a_wrong_one_fails_without_a_prompt(store: SecretStore) -> None:
    keep(store, H1, "pw")
    passwords = Person().passwords(store, given="from file")
    assert passwords.password(H1) == "from file"
    with pytest.raises(AuthError, match="is wrong: it comes from the file"):
        passwords.refused(H1, Secret("from file"))


def test_a_keyring_that_does_not_answer_gives_a_warning_and_a_prompt(tmp_path: Path, store: SecretStore) -> None:
    keep(store, H1, "pw")
    silent = SecretStore(tmp_path / "secrets.json", FakeKeyring(broken="within 3 s"), pytest.fail)
    person = Person("typed", keep=True)
    passwords = person.passwords(silent)
    passwords.accepted(H1, passwords.password(H1) or Secret(""))
    assert person.seen[0] == "warning: the keyring does not answer: within 3 s"
    assert person.seen[-1].startswith("warning: cannot store the sudo password")
    with pytest.raises(AuthError, match="does not answer"):
        script(silent).password(H1)


def test_without_a_keyring_nothing_is_stored(tmp_path: Path) -> None:
    person = Person("pw")
    passwords = person.passwords(SecretStore(tmp_path / "s.json", None, pytest.fail))
    passwords.accepted(H1, passwords.password(H1) or Secret(""))
    assert person.seen == ["sudo password for ops@h1: "]
    assert not (tmp_path / "s.json").exists()


def test_a_hanging_keyring_costs_its_time_limit_only(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text('{"version": 1, "entries": {"sudo/ops@10.0.0.1:22": {"keyring": "yes"}}}')
    hanging = Keyring(0.2, (sys.executable, "-c", "import signal; signal.pause()"))
    with pytest.raises(AuthError, match="does not answer"):
        script(SecretStore(file, hanging, pytest.fail)).password(H1)
