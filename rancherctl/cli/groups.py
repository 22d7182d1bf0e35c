"""Command groups: lazily imported nouns at the root, aliases of verbs, and suggestions for mistyped names."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer
import typer.core
import typer.main

VERB_ALIASES: Final[Mapping[str, str]] = {"list": "ls", "remove": "rm"}
HELP_NAMES: Final = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class Noun:
    """One noun: ``module`` has ``app`` (a Typer) and is imported only when the noun is used.

    ``help`` is its short help.
    """

    module: str
    help: str
    aliases: tuple[str, ...] = ()
    hidden: bool = False


class VerbGroup(typer.core.TyperGroup):
    """The commands of one noun; ``list`` and ``remove`` are aliases of ``ls`` and ``rm``."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name or alias, or None."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, VERB_ALIASES.get(cmd_name, cmd_name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs with their whole summaries, which the base class would truncate."""
        with formatter.section("Commands"):
            found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
            formatter.write_dl([(name, verb.get_short_help_str(limit=1000)) for name, verb in found if not verb.hidden])


def noun(help_text: str, *examples: str) -> typer.Typer:
    """The Typer of a noun's module; ``examples`` are for nouns that have verbs."""
    shown = "\n".join(("\n\n\b\nExamples:", *(f"  {example}" for example in examples))) if examples else ""
    return typer.Typer(
        help=help_text.rstrip() + shown, cls=VerbGroup, no_args_is_help=True, rich_markup_mode=None,
        context_settings=HELP_NAMES, add_completion=False, pretty_exceptions_enable=False,
    )  # fmt: skip


class RootGroup(typer.core.TyperGroup):
    """The root: ``nouns`` are imported when used, which keeps --help and --version fast."""

    nouns: Mapping[str, Noun] = {}

    def resolve_name(self, name: str) -> str:
        """The noun of an alias or plural; any other word unchanged."""
        return next((word for word, entry in self.nouns.items() if name == word or name in entry.aliases), name)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and build the noun; None if it is unknown."""
        word = self.resolve_name(cmd_name)
        if word not in self.commands and word in self.nouns:
            app: typer.Typer = importlib.import_module(self.nouns[word].module).app
            command = typer.main.get_command(app)
            command.name = word
            self.commands[word] = command
        return self.commands.get(word)

    def list_commands(self, ctx: Any) -> list[str]:
        """The nouns in the order of the table."""
        return list(self.nouns)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Like the base class, with suggestions for a mistyped noun."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            words = [w for word, entry in self.nouns.items() if not entry.hidden for w in (word, *entry.aliases)]
            near = sorted({self.resolve_name(w) for w in difflib.get_close_matches(args[0], words, 3)})
            ctx.fail(
                f"No such command {args[0]!r}."
                + (f" Did you mean {' or '.join(repr(w) for w in near)}?" if near else "")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the nouns from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(word, entry.help) for word, entry in self.nouns.items() if not entry.hidden])
