"""``rancherctl completion SHELL``: prints a completion script; the files in completions/ are its output."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rancherctl.cli.groups import noun
from rancherctl.cli.streams import out

app = noun("Print the completion script for bash, zsh or fish.")


class Shell(StrEnum):
    """Shells with a completion script."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="The shell: bash, zsh or fish.")]) -> None:
    """Print the completion script for bash, zsh or fish.

    \b
    Examples:
      rancherctl completion bash > ~/.local/share/bash-completion/completions/rancherctl
      rancherctl completion zsh > ~/.zfunc/_rancherctl
      rancherctl completion fish > ~/.config/fish/completions/rancherctl.fish
    """
    from rancherctl.cli.docs.shells import SCRIPTS
    from rancherctl.cli.docs.tree import read
    from rancherctl.cli.root import command

    out(SCRIPTS[shell.value](read(command())))
