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


def test_a_saved_environment_reads_back_equal(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    environment = from_flags("demo", ["root@10.0.0.1", "ops@10.0.0.2:2222=worker"]).environment
    path = known.save(environment)
    assert known.read("demo") == environment
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("there", "chosen", "asked", "means"),
    [(["a"], "", "", "a"), (["a", "b"], "b", "", "b"), (["a", "b"], "b", "a", "a"), (["a"], "gone", "", "a")],
)
def test_the_environment_is_selected_by_flag_default_or_uniqueness(
    dirs: Dirs, there: list[str], chosen: str, asked: str, means: str
) -> None:
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
def test_an_ambiguous_or_unknown_selection_has_a_hint(
    dirs: Dirs, there: list[str], asked: str, error: type[RancherctlError], says: str
) -> None:
    known = KnownEnvironments(dirs)
    save(known, *there)
    with pytest.raises(error) as caught:
        known.select(asked)
    assert says in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", ["../x", "A", "", "a/b", "-a", "a" * 64, "a\n"])
def test_a_name_cannot_point_outside_the_folder(dirs: Dirs, name: str) -> None:
    with pytest.raises(UsageError):
        KnownEnvironments(dirs).file(name)


def test_forgetting_removes_the_default_and_the_bundle(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a", "b")
    known.save(known.read("a"), "official")
    known.set_default("a")
    known.forget("a")
    assert known.names() == ["b"]
    assert (known.default(), known.bundle("a")) == ("", "")


def test_an_unknown_default_changes_nothing(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a")
    known.set_default("a")
    with pytest.raises(NotFoundError):
        known.set_default("b")
    assert known.default() == "a"


def test_the_bundle_is_kept_if_no_other_is_chosen(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a")
    known.save(known.read("a"), "modules")
    save(known, "a")
    assert known.bundle("a") == "modules"


def test_only_safe_names_are_offered_for_completion(dirs: Dirs) -> None:
    remember_names(Settings(dirs), "hosts", ["h1", "h1", "$(reboot)", "a b", "-x", "ns/web"])
    assert (dirs.cache / "names" / "hosts").read_text() == "h1\nns/web\n"


def test_a_broken_file_does_not_hide_the_other_environments(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "a")
    replace(known.file("broken"), b"kind: [")
    remember_environments(Settings(dirs))
    assert (dirs.cache / "names" / "environments").read_text() == "a\nbroken\n"
    assert (dirs.cache / "names" / "hosts").read_text() == "h1\nh2\n"


def test_an_unwritable_cache_does_not_fail_the_run(dirs: Dirs) -> None:
    dirs.cache.parent.mkdir(parents=True, exist_ok=True)
    dirs.cache.write_text("a file in the way")
    remember_names(Settings(dirs), "hosts", ["h1"])


def test_a_damaged_file_does_not_affect_other_environments(dirs: Dirs) -> None:
    known = KnownEnvironments(dirs)
    save(known, "good", "text")
    known.file("text").write_bytes(b"\xff\xfe")
    known.file("folder").mkdir()
    remember_environments(Settings(dirs))
    assert (dirs.cache / "names/hosts").read_text() == "h1\nh2\n"
    for name in ("text", "folder"):
        with pytest.raises(InvalidInputError, match="cannot read the file of environment"):
            known.read(name)


def test_an_environment_removed_meanwhile_does_not_fail_the_run(dirs: Dirs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownEnvironments, "names", lambda self: ["gone"])
    remember_environments(Settings(dirs))
    assert (dirs.cache / "names/hosts").read_text() == ""


def test_an_environment_removed_meanwhile_is_not_listed(dirs: Dirs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownEnvironments, "names", lambda self: ["gone"])
    remember_environments(Settings(dirs))
    assert listing.rows(KnownEnvironments(dirs)) == []
