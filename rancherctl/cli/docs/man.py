"""Man pages from the command tree: rancherctl.1, one page per noun, and the pages of section 5.

Pure: tree → {file name: mdoc text}.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Final

from rancherctl.cli.docs.topics import ANNOTATIONS, ENVIRONMENT, EXIT_CODES, FILES
from rancherctl.cli.docs.tree import CommandNode, Option
from rancherctl.ingress.annotations.table import KNOWN

_PAGES_5: Final = {"env": ("rancherctl-environment 5",), "ingress": ("rancherctl-annotations 5",)}
"""Pages of section 5 that a noun's page refers to."""
DATE: Final = "$Mdocdate$"
"""A fixed word instead of a date, so that the pages do not depend on the day."""


def pages(root: CommandNode) -> dict[str, str]:
    """Every page by file name."""
    out = {"rancherctl.1": _main(root)}
    for child in root.children:
        out[f"rancherctl-{child.path[0]}.1"] = _noun(child)
    out["rancherctl-annotations.5"] = _annotations()
    out["rancherctl-environment.5"] = _environment()
    return out


def text(raw: str) -> str:
    """Prose: each sentence starts a new line; lines have at most 78 bytes."""
    sentences = re.split(r"(?<=[a-z0-9)][.?!]) (?=[A-Z`])", " ".join(raw.split()))
    return "\n".join(
        line
        for sentence in sentences
        for line in textwrap.wrap(_line(sentence), 78, break_long_words=False, break_on_hyphens=False)
    )


def _line(line: str) -> str:
    escaped = (
        line.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("…", "...")
        .replace("`", "\\(ga")
        .replace("'", "\\(aq")
        .replace("~", "\\(ti")
    )
    escaped = escaped.replace("^", "\\(ha").replace("µ", "\\(mc").replace("·", "\\(bu")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _arg(word: str) -> str:
    """A word as a macro's argument, quoted if mdoc would read it as a macro or split it."""
    escaped = _line(word).replace('"', "\\(dq")
    bare = re.sub(r"[^A-Za-z]", "", word)
    return (
        f'"{escaped}"'
        if " " in word
        else f"\\&{escaped}"
        if len(bare) in (2, 3) or word[:1] in "[(|)],.;:?!"
        else escaped
    )


def _page(lines: list[str]) -> str:
    """The page's text, without the paragraph breaks before lists and sections, which mandoc warns about."""
    kept = [
        line
        for line, after in zip(lines, [*lines[1:], ".Sh"], strict=True)
        if line != ".Pp" or not after.startswith((".Bl", ".Bd", ".S", ".Pp"))
    ]
    return "\n".join(kept) + "\n"


def _head(title: str, section: int, name: str, summary: str) -> list[str]:
    return [
        f".Dd {DATE}",
        f".Dt {title.upper()} {section}",
        ".Os",
        ".Sh NAME",
        f".Nm {name}",
        f".Nd {text(summary.rstrip('.'))}",
    ]


def _main(root: CommandNode) -> str:
    out = _head("RANCHERCTL", 1, "rancherctl", root.summary)
    out += [".Sh SYNOPSIS", ".Nm", ".Op Ar options", ".Ar command", ".Op Ar arguments", ".Sh DESCRIPTION"]
    out += _paragraphs(root.text)
    out += ["The commands are:", ".Bl -tag -width Ds"]
    for child in root.children:
        words = ", ".join((child.path[0], *child.aliases))
        out += [f".It Cm {_arg(words)}", f"{text(child.summary)}", "See", f".Xr rancherctl-{child.path[0]} 1 ."]
    out += [".El", ".Pp", "Global options are accepted anywhere on the command line:", *_options(root.options)]
    out += _environment_variables() + _files() + _exit() + _examples(root)
    out += [
        ".Sh SEE ALSO",
        *_see(
            [f"rancherctl-{child.path[0]} 1" for child in root.children]
            + ["rancherctl-annotations 5", "rancherctl-environment 5"]
        ),
    ]
    return _page(out)


def _noun(noun: CommandNode) -> str:
    name = f"rancherctl-{noun.path[0]}"
    out = _head(name, 1, name, noun.summary)
    commands = [node for node in noun.walk() if not node.children]
    out.append(".Sh SYNOPSIS")
    for node in commands:
        out += [
            ".Nm rancherctl",
            *(f".Cm {_arg(word)}" for word in node.path),
            *([".Op Ar options"] if node.options else []),
            *_synopsis(node),
        ]
        out.append(".Pp")
    out.pop()
    out.append(".Sh DESCRIPTION")
    if len(commands) == 1:
        out += _command_body(commands[0])
    else:
        out += [text(noun.summary), *([".Pp", *_paragraphs(noun.text)] if noun.text else [])]
        if noun.aliases:
            out += [".Pp", f"Also spelled: {text(', '.join(noun.aliases))}."]
        for node in commands:
            out += [f".Ss {text(' '.join(node.path[1:]))}", *_command_body(node)]
    out += [".Sh EXIT STATUS", "See", ".Xr rancherctl 1 .", ".Sh EXAMPLES", *_example_block(commands)]
    out += [".Sh SEE ALSO", *_see(["rancherctl 1", *_PAGES_5.get(noun.path[0], ())])]
    return _page(out)


def _synopsis(node: CommandNode) -> list[str]:
    return [f".{'' if a.required else 'Op '}Ar {_arg(a.metavar)}{' ...' if a.many else ''}" for a in node.arguments]


def _command_body(node: CommandNode) -> list[str]:
    out = [text(node.summary)]
    if node.aliases:
        out.append(f"Also spelled {text(', '.join(node.aliases))}.")
    if node.text:
        out += [".Pp", *_paragraphs(node.text)]
    if node.arguments or node.options:
        out.append(".Bl -tag -width Ds")
        for argument in node.arguments:
            out += [f".It Ar {_arg(argument.metavar)}", text(argument.help)]
        out += [line for option in node.options for line in _option(option)]
        out.append(".El")
    return out


def _options(options: tuple[Option, ...]) -> list[str]:
    return [".Bl -tag -width Ds", *(line for option in options for line in _option(option)), ".El"]


def _option(option: Option) -> list[str]:
    names = " , ".join(f"Fl {_flag(name)}" for name in option.names)
    return [f".It {names}" + (f" Ar {_arg(option.metavar)}" if option.takes_value else ""), text(option.help)]


def _flag(name: str) -> str:
    return name[1:].replace("-", "\\-")


def _paragraphs(raw: str) -> list[str]:
    return [line for paragraph in raw.split("\n\n") for line in (text(paragraph), ".Pp")]


def _literal(lines: list[str]) -> list[str]:
    return [".Bd -literal -offset indent", *(_line(line) for line in lines), ".Ed"]


def _examples(node: CommandNode) -> list[str]:
    return [".Sh EXAMPLES", *_literal(list(node.examples))] if node.examples else []


def _example_block(nodes: Iterable[CommandNode]) -> list[str]:
    return _literal([line for node in nodes for line in node.examples])


def _environment_variables() -> list[str]:
    rows = (
        ("RANCHERCTL_ENV", "the default environment"),
        ("RANCHERCTL_CONFIG", "the configuration file instead of config.toml"),
        ("RANCHERCTL_BUNDLE", "the default of --bundle: official, modules or a directory"),
        ("RANCHERCTL_CACHE_DIR", "the directory for bundles and root file systems"),
        ("RANCHERCTL_SUDO_PASSWORD_FILE", "a file (0600) with the sudo password of the hosts"),
        (
            ", ".join(
                f"RANCHERCTL_{name}"
                for name in ("OUTPUT", "COLOR", "PROGRESS", "KUBECONFIG", "VERBOSE", "DEBUG", "NO_INPUT", "YES")
            ),
            "defaults of the global options and of --output",
        ),
        ("KUBECONFIG", "kubeconfig files, as in kubectl"),
        ("CI", "true: plain progress, no prompts"),
        ("NO_COLOR, FORCE_COLOR, TERM", "control colours"),
    )
    return [
        ".Sh ENVIRONMENT",
        ".Bl -tag -width Ds",
        *(line for names, what in rows for line in (f".It Ev {_arg(names)}", text(what))),
        ".El",
    ]


def _files() -> list[str]:
    return [
        ".Sh FILES",
        ".Bl -tag -width Ds",
        *(line for path, what in FILES for line in (f".It Pa {_arg(path)}", text(what))),
        ".El",
    ]


def _exit() -> list[str]:
    return [
        ".Sh EXIT STATUS",
        ".Bl -tag -width Ds",
        *(line for code, what in EXIT_CODES for line in (f".It {code}", text(what))),
        ".El",
    ]


def _see(names: list[str]) -> list[str]:
    ordered = sorted(names, key=lambda name: (name.split()[1], name))
    return [f".Xr {name}" + (" ," if name is not ordered[-1] else "") for name in ordered]


def _annotations() -> str:
    out = _head("RANCHERCTL-ANNOTATIONS", 5, "rancherctl-annotations", "annotations of an Ingress")
    out += [".Sh DESCRIPTION", text(ANNOTATIONS), ".Bl -tag -width Ds"]
    for row in KNOWN:
        out += [f".It Cm {_arg(row.name)}", f"{text(row.allowed)}", ".br", text(row.description)]
    return _page([*out, ".El", ".Sh SEE ALSO", ".Xr rancherctl-ingress 1"])


def _environment() -> str:
    out = _head("RANCHERCTL-ENVIRONMENT", 5, "rancherctl-environment", "environment file of rancherctl")
    head, _, rest = ENVIRONMENT.partition("\n\n")
    sample, _, tail = rest.partition("\n\n")
    out += [".Sh DESCRIPTION", text(head), *_literal(sample.split("\n"))]
    for paragraph in tail.strip().split("\n\n"):
        out += [".Pp", text(paragraph)]
    out += [".Sh SEE ALSO", ".Xr rancherctl-env 1"]
    return _page(out)
