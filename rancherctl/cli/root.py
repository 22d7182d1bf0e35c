"""The root of the command tree and its global options."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import typer.main

from rancherctl import __version__
from rancherctl.cli import context
from rancherctl.cli.groups import HELP_NAMES, RootGroup
from rancherctl.cli.nouns import NOUNS


class Root(RootGroup):
    """The root group with this program's nouns."""

    nouns = NOUNS


root = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"rancherctl {__version__}")
        raise typer.Exit


@root.callback()
def globals_(
    color: Annotated[
        str | None, typer.Option(help="Use colours: auto, always or never. (default: auto)", metavar="WHEN")
    ] = None,
    progress: Annotated[
        str | None,
        typer.Option(help="Progress on standard error: auto, plain, json or none. (default: auto)", metavar="STYLE"),
    ] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(help="The kubeconfig file. (default: as kubectl)", metavar="FILE")
    ] = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never prompt; fail if an answer is needed.")] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Accept unknown ssh host keys and store them. Removals still need --confirm.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each step, and which ssh client connects to a host.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="As --verbose, and show tracebacks.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Manage Kubernetes environments on plain Linux hosts, with load-balanced ingress and DNS.

    \b
    Examples:
      rancherctl env create demo --host root@10.0.0.11 --host root@10.0.0.12
      rancherctl env status demo
      rancherctl kubectl --env demo get nodes

    Global options are accepted anywhere on the command line. RANCHERCTL_COLOR, RANCHERCTL_DEBUG and so on set their
    defaults.
    """
    context.set_flags(
        {
            "color": color,
            "progress": progress,
            "kubeconfig": kubeconfig,
            "no_input": no_input,
            "yes": yes,
            "verbose": verbose,
            "debug": debug,
        }
    )


def command() -> Any:
    """The root command, ready to be invoked or walked."""
    return typer.main.get_command(root)
