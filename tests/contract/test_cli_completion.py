"""The completion scripts in real shells; names from the cache are never evaluated."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rancherctl.cli.docs.shells import SCRIPTS
from rancherctl.cli.docs.tree import read
from rancherctl.cli.root import command

BASH = """
source "$1"; shift
COMP_WORDS=(rancherctl "$@"); COMP_CWORD=$#; COMPREPLY=()
_rancherctl
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { : }
compadd() { [[ $1 == -- ]] && shift; printf '%s\\n' "$@" }
compset() { words[CURRENT]=${words[CURRENT]#*=} }
_files() { printf '%s\\n' @files }
source "$1"; shift
words=(rancherctl "$@"); CURRENT=$#words
_rancherctl
"""
FISH = 'source $argv[1]; complete -C "rancherctl $argv[2..-1]"'


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completions")
    for shell, make in SCRIPTS.items():
        (folder / shell).write_text(make(read(command())), encoding="utf-8")
    names = folder / "cache" / "rancherctl" / "names"
    names.mkdir(parents=True)
    (names / "labs").write_text("demo\n$(touch evil)\nother\n", encoding="utf-8")
    return folder


def offered(shell: str, scripts: Path, *words: str) -> list[str]:
    argv = {
        "bash": ["bash", "--norc", "-c", BASH, "bash", str(scripts / "bash"), *words],
        "zsh": ["zsh", "-f", "-c", ZSH, "zsh", str(scripts / "zsh"), *words],
        "fish": ["fish", "--no-config", "-c", FISH, str(scripts / "fish"), *words],
    }[shell]
    env = {**os.environ, "XDG_CACHE_HOME": str(scripts / "cache"), "HOME": str(scripts)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=scripts, env=env, check=False)
    assert not done.stderr, done.stderr
    assert done.returncode == 0
    last = words[-1].partition("=")[2] if words[-1].startswith("--") and "=" in words[-1] else words[-1]
    lines = [line.split("\t")[0] for line in done.stdout.splitlines() if line]
    lines = [
        line.partition("=")[2] if shell == "fish" and line.startswith("--") and "=" in line else line for line in lines
    ]
    return sorted(line for line in lines if line.startswith(last))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_nouns_verbs_and_options_are_offered(shell: str, scripts: Path) -> None:
    assert "version" in offered(shell, scripts, "ver")
    assert {"up", "down", "status"} <= set(offered(shell, scripts, "lab", ""))
    assert offered(shell, scripts, "lab", "host", "st") == ["start", "stop"]
    assert "--hosts" in offered(shell, scripts, "lab", "up", "--h")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_plural_and_alias_reach_the_same_command(shell: str, scripts: Path) -> None:
    assert offered(shell, scripts, "labs", "host", "st") == ["start", "stop"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_values_of_options_are_offered(shell: str, scripts: Path) -> None:
    assert offered(shell, scripts, "version", "-o", "j") == ["json"]
    assert offered(shell, scripts, "lab", "--color", "n") == ["never"]
    assert offered(shell, scripts, "lab", "status", "--output", "") == sorted(["table", "wide", "json", "yaml", "name"])


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_values_after_an_equals_sign_are_offered(shell: str, scripts: Path) -> None:
    assert offered(shell, scripts, "lab", "status", "--output=y") == ["yaml"]


def test_bash_splits_at_the_equals_sign(scripts: Path) -> None:
    assert offered("bash", scripts, "lab", "status", "--output", "=", "y") == ["yaml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_come_from_the_cache_and_are_never_run(shell: str, scripts: Path) -> None:
    assert "demo" in offered(shell, scripts, "lab", "status", "--name", "")
    assert not (scripts / "evil").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_choices_of_an_argument_are_offered(shell: str, scripts: Path) -> None:
    assert offered(shell, scripts, "completion", "z") == ["zsh"]


def test_zsh_offers_at_the_first_key_when_it_loads_the_function_itself(scripts: Path) -> None:
    (scripts / "_rancherctl").write_text((scripts / "zsh").read_text(encoding="utf-8"), encoding="utf-8")
    code = (
        ZSH[: ZSH.index("source")]
        + 'fpath=("$1"); shift; autoload -U _rancherctl\nwords=(rancherctl "$@"); CURRENT=$#words\n_rancherctl\n'
    )
    argv = ["zsh", "-f", "-c", code, "zsh", str(scripts), "lab", "host", "st"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    assert {"start", "stop"} <= set(done.stdout.split())
