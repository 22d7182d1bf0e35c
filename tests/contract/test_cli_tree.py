"""Every command has help with examples, man page, completions and a README row; start-up imports little."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rancherctl import settings
from rancherctl.cli.args import PASS_THROUGH
from rancherctl.cli.docs.generated import drift, files
from rancherctl.cli.docs.tree import CommandNode, read
from rancherctl.cli.nouns import NOUNS
from rancherctl.cli.root import command

ROOT = Path(__file__).resolve().parents[2]
TREE = read(command())
COMMANDS = [node for node in TREE.walk() if node.path and not node.children]
IDS = [" ".join(node.path) for node in COMMANDS]


@pytest.mark.parametrize("node", COMMANDS, ids=IDS)
def test_every_command_explains_itself(node: CommandNode) -> None:
    assert node.summary.endswith(".")
    assert 2 <= len(node.examples) <= 4
    for example in node.examples:
        assert example.startswith("rancherctl " + " ".join(node.path)) or node.path[0] in example
    parts: list[Any] = [*node.options, *node.arguments]
    for part in parts:
        assert part.help, f"{part} has no help"


GROUPS = [node for node in TREE.walk() if node.children]


@pytest.mark.parametrize("node", GROUPS, ids=[" ".join(node.path) or "rancherctl" for node in GROUPS])
def test_every_group_shows_examples_before_its_options(node: CommandNode) -> None:
    assert 2 <= len(node.examples) <= 3
    for example in node.examples:
        assert example.startswith(" ".join(("rancherctl", *node.path)))


@pytest.mark.parametrize("node", COMMANDS, ids=IDS)
def test_options_in_examples_exist(node: CommandNode) -> None:
    if node.path in PASS_THROUGH or node.path == ("help",):
        return
    known = {name for option in (*node.options, *TREE.options) for name in option.names}
    used = {
        word.split("=")[0]
        for example in node.examples
        for word in example.split("|")[0].split("#")[0].split()
        if word.startswith("-") and word != "-"
    }
    assert used <= known


@pytest.mark.parametrize("word", NOUNS)
def test_the_short_help_in_the_table_equals_the_nouns_own(word: str) -> None:
    own = next(child for child in TREE.children if child.path == (word,))
    assert own.summary == NOUNS[word].help


def test_generated_files_are_up_to_date() -> None:
    assert drift(ROOT) == [], "run `make docs`"


@pytest.mark.parametrize("node", COMMANDS, ids=IDS)
def test_every_command_is_in_man_completions_and_readme(node: CommandNode) -> None:
    page = (
        (ROOT / "man" / f"rancherctl-{node.path[0]}.1")
        .read_text(encoding="utf-8")
        .replace("\\-", "-")
        .replace("\\&", "")
    )
    assert ".Nm rancherctl\n" + "\n".join(f".Cm {word}" for word in node.path) in page
    assert f"`rancherctl {' '.join(node.path)}`" in (ROOT / "README.md").read_text(encoding="utf-8")
    for name, text in files(ROOT).items():
        if name.startswith("completions/"):
            assert re.search(rf"(?<![\w-]){node.path[-1]}(?![\w-])", text), name


def test_every_environment_variable_is_in_the_man_page() -> None:
    page = (ROOT / "man" / "rancherctl.1").read_text(encoding="utf-8")
    named = set(re.findall(r"RANCHERCTL_([A-Z_]+)", page))
    assert named == {name.upper() for name in (*settings._TEXT, *settings._FLAGS)} | {"CONFIG"}


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed (`make setup` does)")
def test_man_pages_pass_mandoc_lint() -> None:
    pages = sorted((ROOT / "man").iterdir())
    shown = subprocess.run(
        ["mandoc", "-Tlint", *map(str, pages)], capture_output=True, text=True, check=False, timeout=60
    )
    names = {f"{path.stem} {path.suffix[1:]}" for path in pages}
    left = []
    for line in shown.stdout.splitlines():
        reference = re.search(r"referenced manual not found: Xr (\S+ \d)", line)
        if not (reference and reference[1] in names):
            left.append(line)
    assert left == []


HEAVY = ("kubernetes", "paramiko", "rich", "keyring", "yaml", "cryptography", "dns", "urllib3")


@pytest.mark.parametrize(
    ("args", "also"),
    [(["--version"], ("typer", "dataclasses", "rancherctl.settings")), (["--help"], ()), (["lab", "--help"], ())],
)
def test_start_up_imports_nothing_heavy(args: list[str], also: tuple[str, ...]) -> None:
    code = f"""import sys; from rancherctl.cli.app import main; main({args!r})
print('\\n'.join(sys.modules), file=sys.stderr)"""
    shown = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(shown.stderr.splitlines())
    assert not loaded & {*HEAVY, *also}


def test_the_kubectl_plugin_is_the_same_tree() -> None:
    code = """import sys; sys.argv = ['kubectl-rancher', '--help']
from rancherctl.cli.app import main_kubectl_plugin; sys.exit(main_kubectl_plugin())"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "Usage: kubectl rancher [OPTIONS]" in shown.stdout


@pytest.mark.parametrize(
    "args", [["version", "-o", "json"], ["lab", "status", "-o", "json"], ["bundle", "versions", "-o", "json"]]
)
def test_json_goes_to_standard_output_alone(args: list[str], tmp_path: Path) -> None:
    import json
    import os

    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    code = f"import sys; from rancherctl.cli.app import main; sys.exit(main({args!r}))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=env
    )
    value = json.loads(shown.stdout)
    assert value["apiVersion"].startswith("rancherctl.io/")
    assert value["kind"]
    assert value["errors"] == []


def test_a_closed_pipe_exits_with_141_silently(tmp_path: Path) -> None:
    import os

    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    code = "import sys; from rancherctl.cli.app import main; sys.exit(main(['completion', 'bash']))"
    read_end, write_end = os.pipe()
    os.close(read_end)
    shown = subprocess.run(
        [sys.executable, "-c", code],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        env=env,
    )
    os.close(write_end)
    assert (shown.returncode, shown.stderr) == (141, "")
