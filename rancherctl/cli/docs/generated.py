"""The files of the repository that are made from the command tree: completions/, man/ and the README's table of commands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rancherctl.cli.docs.man import pages
from rancherctl.cli.docs.shells import SCRIPTS
from rancherctl.cli.docs.tree import Node, read
from rancherctl.cli.root import command

SCRIPT_NAMES: Final = {"bash": "rancherctl.bash", "zsh": "_rancherctl", "fish": "rancherctl.fish"}
BEGIN: Final = "<!-- commands: made by `make docs` -->\n"
END: Final = "<!-- end of commands -->\n"


def files(root: Path) -> dict[str, str]:
    """What every generated file should contain, by path relative to the repository."""
    tree = read(command())
    out = {f"completions/{SCRIPT_NAMES[shell]}": make(tree) for shell, make in SCRIPTS.items()}
    out |= {f"man/{name}": page for name, page in pages(tree).items()}
    out["README.md"] = _readme((root / "README.md").read_text(encoding="utf-8"), tree)
    return out


def drift(root: Path) -> list[str]:
    """The files that differ from what the tree gives, and pages of commands that are gone."""
    want = files(root)
    stale = [
        name
        for name, content in want.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != content
    ]
    return stale + _extra(root, want)


def write(root: Path) -> list[str]:
    """Write what differs, remove pages of commands that are gone; the names of both."""
    want, stale = files(root), drift(root)
    for name in stale:
        if name in want:
            (root / name).write_text(want[name], encoding="utf-8")
        else:
            (root / name).unlink()
    return stale


def _extra(root: Path, want: dict[str, str]) -> list[str]:
    there = [f"{folder}/{path.name}" for folder in ("completions", "man") for path in sorted((root / folder).iterdir())]
    return [name for name in there if name not in want]


def _readme(text: str, tree: Node) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return text
    rows = [
        f"| `rancherctl {' '.join(node.path)}` | {node.summary} |\n"
        for node in tree.walk()
        if node.path and not node.children
    ]
    return before + begin + "| command | what it does |\n|---|---|\n" + "".join(rows).replace("<", "&lt;") + end + after
