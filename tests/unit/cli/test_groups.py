"""The table of nouns, aliases, and the format of help."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.cli import app
from rancherctl.cli.nouns import NOUNS


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_watch_signals", lambda: None)


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert app.main([*words, "--help"]) == 0
    return capsys.readouterr().out


def test_no_word_is_an_alias_of_two_nouns() -> None:
    words = [word for name, noun in NOUNS.items() for word in (name, *noun.aliases)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(("alias", "word"), [(alias, word) for word, noun in NOUNS.items() for alias in noun.aliases])
def test_aliases_show_the_same_help(capsys: pytest.CaptureFixture[str], alias: str, word: str) -> None:
    assert help_of(capsys, alias).split("\n", 1)[1] == help_of(capsys, word).split("\n", 1)[1]


@pytest.mark.parametrize("word", ["env", "lab", "ingress", "dns", "kubeconfig", "bundle"])
def test_summaries_of_verbs_are_not_truncated(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert "..." not in help_of(capsys, word).split("Commands:")[1]


@pytest.mark.parametrize("words", [(), ("env",), ("env", "create")])
def test_both_spellings_of_help_work_everywhere(capsys: pytest.CaptureFixture[str], words: Any) -> None:
    assert app.main([*words, "-h"]) == 0
    short = capsys.readouterr().out
    assert short.replace("--help, -h", "-h, --help") == help_of(capsys, *words).replace("--help, -h", "-h, --help")


def test_examples_come_before_options(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys, "env", "apply")
    assert text.index("Examples:") < text.index("Options:")


def test_a_default_duration_is_shown_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "[default: 10m]" in help_of(capsys, "env", "apply")
