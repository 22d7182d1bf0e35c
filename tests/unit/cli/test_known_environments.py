from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rancherctl.cli.completion_names import remember_environments, remember_names
from rancherctl.cli.env import listing
from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.inventory import from_flags
from rancherctl.errors import InvalidInputError, NotFoundError, RancherctlError, UsageError
from rancherctl.files import replace
from rancherctl.settings import Dirs, Settings


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return Dirs(tmp_path / "config", tmp_path / "state", tmp_path / "cache")


def save(known: KnownEnvironments, *names: str) -> None:
    for name in names:
        known.save(from_flags(name, ["root@10.0.0.1", "ops@10.0.0.2:2222=worker"]).environment)


def test_what_was_saved_reads_back_as_the_same_environment(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    environment = from_flags("demo", ["root@10.0.0.1", "ops@10.0.0.2:2222=worker"]).environment
    path = known.save(environment)
    assert known.read("demo") == environment
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("there", "chosen", "asked", "means"),
    [(["a"], "", "", "a"), (["a", "b"], "b", "", "b"), (["a", "b"], "b", "a", "a"), (["a"], "gone", "", "a")],
)
def test_which_environment_is_meant(dirs: Dirs, there: list[str], chosen: str, asked: str, means: str) -> None:
    known = KnownEnvironments(dirs)
    save(known, *there)
    if chosen:
        replace(dirs.config / "current", chosen.encode())
    assert known.select(asked) == means


@pytest.mark.parametrize(
    ("there", "asked", "error", "says"),
    [
        ([], "", NotFoundError, "env create"),
        (["a", "b"], "", UsageError, "known environments: a, b"),
        (["prod", "test"], "prdo", NotFoundError, 'did you mean "prod"?'),
        (["prod"], "other", NotFoundError, "env ls"),
    ],
)
def test_what_is_said_when_none_is_meant(
    dirs: Dirs, there: list[str], asked: str, error: type[RancherctlError], says: str
) -> None:
    known = KnownEnvironments(dirs)
    save(known, *there)
    with pytest.raises(error) as caught:
        known.select(asked)
    assert says in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", ["../x", "A", "", "a/b", "-a", "a" * 64, "a\n"])
def test_a_name_never_leaves_the_folder(dirs: Dirs, name: str) -> None:
    with pytest.raises(UsageError):
        KnownEnvironments(dirs).file(name)


def test_forgetting_takes_the_choice_and_the_bundle_along(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a", "b")
    known.save(known.read("a"), "official")
    known.set_default("a")
    known.forget("a")
    assert known.names() == ["b"]
    assert (known.default(), known.bundle("a")) == ("", "")


def test_choosing_what_is_not_known_changes_nothing(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a")
    known.set_default("a")
    with pytest.raises(NotFoundError):
        known.set_default("b")
    assert known.default() == "a"


def test_the_bundle_is_kept_when_none_is_chosen_anew(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a")
    known.save(known.read("a"), "modules")
    save(known, "a")
    assert known.bundle("a") == "modules"


def test_only_harmless_names_are_offered_for_completion(dirs: Dirs) -> None:
    remember_names(Settings(dirs), "hosts", ["h1", "h1", "$(reboot)", "a b", "-x", "ns/web"])
    assert (dirs.cache / "names" / "hosts").read_text() == "h1\nns/web\n"


def test_a_broken_file_does_not_hide_the_other_environments(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a")
    replace(known.file("broken"), b"kind: [")
    remember_environments(Settings(dirs))
    assert (dirs.cache / "names" / "environments").read_text() == "a\nbroken\n"
    assert (dirs.cache / "names" / "hosts").read_text() == "h1\nh2\n"


def test_a_cache_that_cannot_be_written_is_no_failure(dirs: Dirs) -> None:
    dirs.cache.parent.mkdir(parents=True, exist_ok=True)
    dirs.cache.write_text("a file in the way")
    remember_names(Settings(dirs), "hosts", ["h1"])


def test_a_damaged_file_stops_no_other_environment(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "good", "text")
    known.file("text").write_bytes(b"\xff\xfe")
    known.file("folder").mkdir()
    remember_environments(Settings(dirs))
    assert (dirs.cache / "names/hosts").read_text() == "h1\nh2\n"
    for name in ("text", "folder"):
        with pytest.raises(InvalidInputError, match="cannot read the file of environment"):
            known.read(name)


def test_an_environment_that_another_run_removes_meanwhile_is_no_failure(
    dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KnownEnvironments, "names", lambda self: ["gone"])
    remember_environments(Settings(dirs))
    assert (dirs.cache / "names/hosts").read_text() == ""


def test_an_environment_that_another_run_removes_meanwhile_is_not_listed(
    dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KnownEnvironments, "names", lambda self: ["gone"])
    remember_environments(Settings(dirs))
    assert listing.rows(KnownEnvironments(dirs)) == []
