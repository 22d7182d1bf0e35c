"""The border of the program: exit codes, texts, the log file."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from rancherctl.cli import app, context, root
from rancherctl.cli.groups import Noun, noun
from rancherctl.errors import LockedError, NotFoundError, PartialError, RancherctlError
from rancherctl.events import Event
from rancherctl.output.results import Column, Failure, Listing

COLUMNS = (Column("NAME", "name"),)


def _raise(error: BaseException) -> None:
    raise error


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A noun ``act`` with one command ``go`` that does what the test says."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in [n for n in __import__("os").environ if n.startswith("RANCHERCTL_")] + ["CI"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(context, "state", context.RunState())
    monkeypatch.setattr(app, "_interrupt_on_terminate", lambda: None)
    monkeypatch.setattr(app, "_leave_on_next_interrupt", lambda: None)

    def install(action: Any) -> None:
        module = type(sys)("act_module")
        module.app = noun("Act.")

        @module.app.command("go")
        def go(name: str = "x", output: str = "") -> None:
            """Go."""
            action(context.current(output=output or None))

        @module.app.command("ls")
        def ls() -> None:
            """List."""
            typer.echo("listed")

        monkeypatch.setitem(sys.modules, "act_module", module)
        monkeypatch.setattr(root.Root, "nouns", {**root.Root.nouns, "act": Noun("act_module", "Act.", ("acts",))})

    return install


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RancherctlError("x"), 1),
        (NotFoundError("x"), 3),
        (LockedError("x"), 5),
        (PartialError("x", {"h1": "y"}), 6),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (ValueError("boom"), 1),
    ],
)
def test_each_failure_has_its_exit_code_and_no_traceback(
    act: Any, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(app, "_drop_stdout", lambda: None)
    act(lambda run: _raise(error))
    assert app.main(["act", "go"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_the_log_file_is_named_private_and_has_the_traceback(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: _raise(ValueError("boom")))
    assert app.main(["act", "go"]) == 1
    err = capsys.readouterr().err
    log = Path(err.split("log:")[1].strip())
    assert "ValueError: boom" in log.read_text(encoding="utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "--debug" in err


def test_debug_shows_the_traceback_and_keeps_the_exit_code(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: _raise(NotFoundError("no such thing")))
    assert app.main(["act", "go", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_plural_and_aliases_of_verbs_work(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: None)
    assert app.main(["acts", "list"]) == 0
    assert capsys.readouterr().out == "listed\n"


def test_a_mistyped_noun_or_verb_is_answered_with_what_is_near(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: None)
    assert app.main(["atc", "go"]) == 2
    assert "Did you mean 'act'?" in capsys.readouterr().err
    assert app.main(["act", "goo"]) == 2
    assert "Did you mean 'go'?" in capsys.readouterr().err
    assert app.main(["act", "go", "--nmae", "x"]) == 2
    assert "--name" in capsys.readouterr().err


def test_a_partial_list_prints_what_is_there_and_exits_with_6(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: run.show(Listing("Host", [{"name": "h1"}], COLUMNS, failures=(Failure("h2", "no answer"),))))
    assert app.main(["act", "go"]) == 6
    out, err = capsys.readouterr()
    assert out == "NAME\nh1\n"
    assert "h2: no answer" in err


def test_an_interrupt_says_what_is_half_done(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def work(run: context.Run) -> None:
        with run.progress() as emit:
            emit(Event("packages", "installing", "h1", "started"))
            emit(Event("packages", "installing", "h2", "started"))
            emit(Event("packages", "installed", "h2", "done"))
            raise KeyboardInterrupt

    act(work)
    assert app.main(["act", "go"]) == 130
    err = capsys.readouterr().err
    assert "interrupted during packages on h1\n" in err
    assert "run the same command again" in err


def test_an_empty_list_is_ok_and_says_so_on_standard_error(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: run.show(Listing("Host", [], COLUMNS)))
    assert app.main(["act", "go"]) == 0
    assert capsys.readouterr() == ("", "no host found\n")


def test_a_name_must_be_confirmed_exactly(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: run.confirm_name("This removes demo.", "demo", "dmeo"))
    assert app.main(["act", "go"]) == 2
    assert "'dmeo' is not 'demo'" in capsys.readouterr().err
    act(lambda run: run.confirm_name("This removes demo.", "demo", None))
    assert app.main(["act", "go"]) == 2
    assert "add --confirm demo" in capsys.readouterr().err


def test_only_the_last_logs_are_kept(act: Any, tmp_path: Path) -> None:
    folder = tmp_path / "XDG_STATE_HOME" / "rancherctl" / "log"
    folder.mkdir(parents=True)
    for number in range(60):
        (folder / f"2020{number:04}.log").touch()
    act(lambda run: None)
    assert app.main(["act", "go"]) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 50
    assert not names[-1].startswith("2020")
