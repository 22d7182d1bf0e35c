"""The entry point: exit codes, messages, the log file."""

from __future__ import annotations

import errno
import io
import logging
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from rancherctl.cli import app, context, root, streams
from rancherctl.cli.groups import Noun, noun
from rancherctl.errors import LockedError, NotFoundError, PartialError, RancherctlError
from rancherctl.events import Event
from rancherctl.output.results import Column, Failure, Listing

COLUMNS = (Column("NAME", "name"),)


def _raise(error: BaseException) -> None:
    raise error


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A noun ``act`` with a command ``go`` that runs a function of the test."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in [n for n in __import__("os").environ if n.startswith("RANCHERCTL_")] + ["CI"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(context, "state", context.RunState())
    monkeypatch.setattr(app, "_watch_signals", lambda: None)

    def install(action: Any) -> None:
        module: Any = ModuleType("act_module")
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
    monkeypatch.setattr(streams, "discard", lambda number: None)
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


def test_a_mistyped_noun_or_verb_gets_a_suggestion(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: None)
    assert app.main(["atc", "go"]) == 2
    assert "Did you mean 'act'?" in capsys.readouterr().err
    assert app.main(["act", "goo"]) == 2
    assert "Did you mean 'go'?" in capsys.readouterr().err
    assert app.main(["act", "go", "--nmae", "x"]) == 2
    assert "--name" in capsys.readouterr().err


def test_help_suggests_the_topic_or_command_that_was_mistyped(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for typed, meant in (("exit-code", "exit-codes"), ("kubecofnig", "kubeconfig")):
        assert app.main(["help", typed]) == 2
        assert f'did you mean "{meant}"?' in capsys.readouterr().err
    assert app.main(["help", "xyzzy"]) == 2
    assert "topics: annotations, environment, exit-codes, files" in capsys.readouterr().err


def test_a_partial_list_is_printed_and_exits_with_6(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: run.show(Listing("Host", [{"name": "h1"}], COLUMNS, failures=(Failure("h2", "no answer"),))))
    assert app.main(["act", "go"]) == 6
    out, err = capsys.readouterr()
    assert out == "NAME\nh1\n"
    assert "h2: no answer" in err


def test_an_interrupt_names_the_unfinished_steps(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def work(run: context.CommandRun) -> None:
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


def test_work_continues_if_its_progress_cannot_be_written(
    act: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    def work(run: context.CommandRun) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("sys.stderr", Gone())
            with run.progress() as emit:
                emit(Event("lock", "released", "h1", "done"))
        run.show(Listing("Host", [{"name": "h1"}], COLUMNS))

    act(work)
    assert app.main(["act", "go"]) == 0
    assert capsys.readouterr().out == "NAME\nh1\n"


def test_an_empty_list_exits_with_0_and_a_message_on_standard_error(
    act: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    act(lambda run: run.show(Listing("Host", [], COLUMNS)))
    assert app.main(["act", "go"]) == 0
    assert capsys.readouterr() == ("", "no host found\n")


def test_a_name_must_be_confirmed_exactly(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: run.confirm_name("This removes demo.", "demo", "dmeo"))
    assert app.main(["act", "go"]) == 2
    assert "'dmeo' does not match 'demo'" in capsys.readouterr().err
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


def test_logs_of_changes_are_kept_after_many_status_checks(act: Any, tmp_path: Path) -> None:
    folder = tmp_path / "XDG_STATE_HOME" / "rancherctl" / "log"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"20200101T0000{number:02}Z-env-apply-7.log").touch()
    for number in range(100):
        (folder / f"20210101T000{number:03}Z-env-status-7.log").touch()
    act(lambda run: None)
    assert app.main(["act", "go"]) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert [name[13:15] for name in names if "apply" in name] == [str(n) for n in range(10, 30)]
    assert len(names) == 70


def test_a_command_runs_without_a_log_file(
    act: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(context, "state", context.RunState())
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    act(lambda run: run.show(Listing("Host", [{"name": "h1"}], COLUMNS)))
    assert app.main(["act", "go"]) == 0
    out, err = capsys.readouterr()
    assert out == "NAME\nh1\n"
    assert err.count("warning: cannot write a log file in ") == 1
    assert "Not a directory" in err


def test_a_full_log_file_does_not_fail_the_run(act: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def work(run: context.CommandRun) -> None:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.FileHandler) and handler.baseFilename == str(context.state.log):
                monkeypatch.setattr(handler, "stream", Full())
        run.log("one line")

    act(work)
    assert app.main(["act", "go"]) == 0
    assert capsys.readouterr().err == ""


def test_a_full_disk_behind_standard_output_is_named(
    act: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    act(lambda run: run.show(Listing("Host", [{"name": "h1"}], COLUMNS)))
    monkeypatch.setattr("sys.stdout", Full())
    monkeypatch.setattr(streams, "discard", lambda number: None)
    assert app.main(["act", "go"]) == 1
    err = capsys.readouterr().err
    assert "error: cannot write to standard output\n  why:  No space left on device\n" in err
    assert "unexpected" not in err


def test_an_unusable_file_is_named(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    act(lambda run: _raise(PermissionError(errno.EACCES, "Permission denied", "/x/y")))
    assert app.main(["act", "go"]) == 1
    assert "error: cannot use /x/y\n  why:  Permission denied\n" in capsys.readouterr().err


def test_an_invalid_number_is_reported_as_not_a_valid_integer(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["ingress", "scale", "x", "abc"]) == 2
    assert "'abc' is not a valid integer." in capsys.readouterr().err
    assert app.main(["env", "create", "x", "--host"]) == 2
    assert "next: " in capsys.readouterr().err


@pytest.mark.parametrize("noun", ["ingress", "service"])
def test_an_invalid_scale_is_refused_before_an_environment_is_looked_for(
    act: Any, capsys: pytest.CaptureFixture[str], noun: str
) -> None:
    assert app.main([noun, "scale", "x", "0"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: invalid number of ")
    assert "it must be from 1 to " in err
