"""The completion scripts in real shells; names from the cache are never evaluated."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from rancherctl.cli.docs.shells import SCRIPTS
from rancherctl.cli.docs.tree import read
from rancherctl.cli.root import command

BASH = """
source "$1"; shift
COMP_LINE="rancherctl $*"; COMP_WORDS=(rancherctl "$@"); COMP_CWORD=$#; COMPREPLY=()
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
    (names / "contexts").write_text("arn:aws:eks:eu-1:12:cluster/demo\nadmin@corp.example\nteam/a\n", encoding="utf-8")
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


INTERACTIVE = """
PS1='$ '; bind 'set bell-style none'; bind 'set completion-query-items 0'; bind 'set show-all-if-ambiguous on'
rancherctl() {{ printf '<%s>' "$@"; echo; }}
{before}
source {script}
"""


def typed(scripts: Path, keys: str, before: str = "") -> str:
    """The arguments after ``keys`` (with TABs) were typed into an interactive bash: ``<a><b>``."""
    rc = scripts / "rc"
    rc.write_text(INTERACTIVE.format(before=before, script=scripts / "bash"), encoding="utf-8")
    child, terminal = pty.fork()
    if child == 0:
        env = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(scripts / "cache"), "TERM": "dumb"}
        os.execvpe("bash", ["bash", "--noprofile", "--rcfile", str(rc), "-i"], env)
    seen = b""
    try:
        os.write(terminal, f"rancherctl {keys}\nexit\n".encode())
        while part := os.read(terminal, 65536):
            seen += part
    except OSError:
        pass  # the shell has ended
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    assert b"unbound variable" not in seen, seen
    return next((line.strip() for line in seen.decode().splitlines() if line.startswith("<")), seen.decode())


CONTEXT = "arn:aws:eks:eu-1:12:cluster/demo"


@pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        ("ingress ls --context ar\t", f"<ingress><ls><--context><{CONTEXT}>"),
        ("ingress ls --context arn:aws:e\t", f"<ingress><ls><--context><{CONTEXT}>"),
        ("ingress ls --context arn:\t", f"<ingress><ls><--context><{CONTEXT}>"),
        ("ingress ls --context=arn:aws:eks:eu-1:12:cl\t", f"<ingress><ls><--context={CONTEXT}>"),
        ("ingress ls --context ad\t", "<ingress><ls><--context><admin@corp.example>"),
        ("ingress ls --context admin@c\t", "<ingress><ls><--context><admin@corp.example>"),
        ("ingress ls --context admin@\t", "<ingress><ls><--context><admin@corp.example>"),
        ("ingress ls --context=ad\t", "<ingress><ls><--context=admin@corp.example>"),
        ("ingress ls --context team/\t", "<ingress><ls><--context><team/a>"),
        ("ingress ls --context a:b -o js\t", "<ingress><ls><--context><a:b><-o><json>"),
        ("ingress ls --output=j\t", "<ingress><ls><--output=json>"),
        ("ingress ls --output=\ty\t", "<ingress><ls><--output=yaml>"),
    ],
)
def test_bash_completes_words_with_the_characters_at_which_it_splits(scripts: Path, keys: str, arguments: str) -> None:
    assert typed(scripts, keys) == arguments


@pytest.mark.parametrize(
    "before",
    [
        "set -u; unset HOME",
        "IFS=:",
        "IFS=",
        "IFS=x",
        "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}",
        "set -f",
        "shopt -s nullglob",
    ],
)
def test_bash_completes_whatever_the_shells_settings_are(scripts: Path, before: str) -> None:
    keys = "ingress ls --context arn:aws:e\t -o js\t"
    assert typed(scripts, keys, before) == f"<ingress><ls><--context><{CONTEXT}><-o><json>"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_contexts_with_any_safe_character_are_offered(shell: str, scripts: Path) -> None:
    assert offered(shell, scripts, "ingress", "ls", "--context", "arn:aws:e") == [CONTEXT]
    assert offered(shell, scripts, "ingress", "ls", "--context", "admin@") == ["admin@corp.example"]


def test_zsh_completes_if_it_is_sourced_before_compinit(scripts: Path) -> None:
    code = """source "$1"; autoload -Uz compinit; compinit -u -d "$2"
for hook in $precmd_functions; do $hook; done
print -r -- "$_comps[rancherctl] $precmd_functions" """
    argv = ["zsh", "-f", "-c", code, "zsh", str(scripts / "zsh"), str(scripts / "dump")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("_rancherctl \n", "")


@pytest.mark.parametrize("before", ["setopt ksh_arrays", "setopt sh_word_split", "setopt nounset", "IFS=:", "IFS="])
def test_zsh_completes_whatever_the_shells_settings_are(scripts: Path, before: str) -> None:
    code = (
        ZSH.replace("_rancherctl\n", f"{before}; _rancherctl\n") if before.startswith("setopt") else f"{before}\n{ZSH}"
    )
    argv = ["zsh", "-f", "-c", code, "zsh", str(scripts / "zsh"), "lab", "host", "st"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    assert {"start", "stop"} <= set(done.stdout.split())


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
