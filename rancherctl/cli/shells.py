"""Completion scripts from the command tree: static words in the script, names from a cache of plain lines. Pure: tree → text.

A TAB starts no Python: commands, options and their choices are in the script, and names of environments, hosts and ingresses are read from
``$XDG_CACHE_HOME/rancherctl/names/KIND``, one per line, by the shell itself and never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rancherctl.bundle.distribution.systems import SYSTEMS
from rancherctl.cli.args import PASS_THROUGH
from rancherctl.cli.tree import Node
from rancherctl.cli.tree import Option as TreeOption
from rancherctl.settings import COLORS, FORMATS, PROGRESS

KINDS: Final = {"ENV": "environments", "HOST": "hosts", "INGRESS": "ingresses", "LAB": "labs", "CONTEXT": "contexts"}
"""Metavars that are names from the cache, and the cache file's name."""
CHOICES: Final = {
    "FORM": FORMATS,
    "WHEN": COLORS,
    "STYLE": PROGRESS,
    "SHELL": ("bash", "zsh", "fish"),
    "TOPIC": ("environment", "exit-codes", "files"),
    "ARCH": ("amd64", "arm64"),
    "HOW": ("fail", "replace", "rename"),
    "SOURCE": ("official", "modules"),
    "SYSTEM": SYSTEMS,
    "TYPE": ("A", "AAAA", "CNAME", "NS", "PTR", "SOA", "SRV", "TXT"),
}


def values(metavar: str) -> str:
    """What may follow, for the scripts: ``@kind`` (names), ``@file``, ``@none`` or the words themselves."""
    word = metavar.strip("[]<>{}").rstrip(".")
    if word in KINDS:
        return f"@{KINDS[word]}"
    if word in CHOICES:
        return " ".join(CHOICES[word])
    if "|" in word and word.islower():
        return word.replace("|", " ")
    return "@file" if word in ("FILE", "DIR", "BUNDLE") else "@none"


@dataclass(frozen=True, slots=True)
class Place:
    """A command as the scripts know it: its words, what they mean, and what follows."""

    path: str
    children: tuple[tuple[str, str], ...]
    options: tuple[TreeOption, ...]
    arguments: tuple[str, ...]


def places(root: Node) -> Iterator[Place]:
    """Every node; the global options belong to each of them."""
    for node in root.walk():
        own = {name for option in node.options for name in option.names}
        inherited = tuple(o for o in root.options if node.path and not own & set(o.names) and o.names[0] not in ("--version", "-h", "--help"))
        children = tuple((child.path[-1], child.summary) for child in node.children)
        through = node.path in PASS_THROUGH
        yield Place(
            " ".join(node.path), children, node.options if through else (*node.options, *inherited), tuple(values(a.metavar) for a in node.arguments)
        )


def aliases(root: Node) -> list[tuple[str, str, str]]:
    """(path of the parent, alias, real word) of every alias."""
    return [(" ".join(node.path[:-1]), alias, node.path[-1]) for node in root.walk() for alias in node.aliases]


def _cases(root: Node) -> tuple[str, str, str, str]:
    """The four tables of the bash and zsh scripts as case branches: aliases, words, option values, argument values."""
    words, follow, argument = [], [], []
    for place in places(root):
        options = " ".join(name for option in place.options for name in option.names)
        words.append(f"    '{place.path}') commands='{' '.join(n for n, _ in place.children)}' options='{options}' ;;")
        follow += [
            f"    '{place.path} {name}') echo '{values(option.metavar)}' ;;"
            for option in place.options if option.takes_value for name in option.names
        ]  # fmt: skip
        argument += [f"    '{place.path} {n}') echo '{kind}' ;;" for n, kind in enumerate(place.arguments) if kind != "@none"]
    renamed = [f"    '{parent} {alias}') echo '{word}' ;;" for parent, alias, word in aliases(root)]
    return "\n".join(renamed), "\n".join(words), "\n".join(follow), "\n".join(argument)


_WALK: Final = """\
_rancherctl_alias() {
  case "$1" in
%(aliases)s
    *) echo "${1##* }" ;;
  esac
}
_rancherctl_words() {
  commands= options=
  case "$1" in
%(words)s
  esac
}
_rancherctl_follows() {
  case "$1" in
%(follows)s
  esac
}
_rancherctl_argument() {
  case "$1" in
%(arguments)s
  esac
}
# Walks the words before the cursor: sets at (the command so far), count (its arguments) and wanted (what an option waits for).
_rancherctl_walk() {
  local word real
  at= count=0 wanted=
  for word in "$@"; do
    if [ -n "$wanted" ]; then wanted=; continue; fi
    case "$word" in
      --*=*) continue ;;
      -*) wanted=$(_rancherctl_follows "$at $word"); continue ;;
    esac
    _rancherctl_words "$at"
    real=$(_rancherctl_alias "$at $word")
    case " $commands " in
      *" $real "*) at="${at:+$at }$real" ;;
      *) count=$((count + 1)) ;;
    esac
  done
}
"""


def bash(root: Node) -> str:
    """The script for bash 3.2 and later; needs no bash-completion package."""
    return "# rancherctl completion for bash; made by `rancherctl completion bash`, do not edit\n" + _walk(root) + _BASH


def zsh(root: Node) -> str:
    """The script for zsh, to be named _rancherctl in a folder of fpath."""
    return "#compdef rancherctl\n# made by `rancherctl completion zsh`, do not edit\n" + _walk(root) + _ZSH


def _walk(root: Node) -> str:
    renamed, words, follows, arguments = _cases(root)
    return _WALK % {"aliases": renamed, "words": words, "follows": follows, "arguments": arguments}


_BASH: Final = """\
_rancherctl_offer() {
  local word
  case "$1" in
    @file) compopt -o default 2>/dev/null ;;
    @none | '') ;;
    @*)
      local file="${XDG_CACHE_HOME:-$HOME/.cache}/rancherctl/names/${1#@}"
      [ -r "$file" ] || return 0
      while IFS= read -r word; do
        case "$word" in "$2"*) COMPREPLY[${#COMPREPLY[@]}]=$word ;; esac
      done <"$file" ;;
    *) for word in $1; do
        case "$word" in "$2"*) COMPREPLY[${#COMPREPLY[@]}]=$word ;; esac
      done ;;
  esac
}
_rancherctl() {
  local at count wanted commands options given cur=${COMP_WORDS[COMP_CWORD]} last=$COMP_CWORD
  COMPREPLY=()
  # bash splits --option=value at the equals sign
  if [ "$cur" = "=" ]; then cur=; else [ "${COMP_WORDS[COMP_CWORD - 1]}" = "=" ] && last=$((COMP_CWORD - 1)); fi
  given=("${COMP_WORDS[@]:1:last-1}")
  _rancherctl_walk ${given[@]+"${given[@]}"}
  if [ -n "$wanted" ]; then _rancherctl_offer "$wanted" "$cur"; return 0; fi
  _rancherctl_words "$at"
  case "$cur" in
    -*) _rancherctl_offer "$options" "$cur" ;;
    *) _rancherctl_offer "$commands" "$cur"
      [ -n "$commands" ] || _rancherctl_offer "$(_rancherctl_argument "$at $count")" "$cur" ;;
  esac
}
complete -F _rancherctl rancherctl
"""

_ZSH: Final = """\
_rancherctl_offer() {
  local file
  case "$1" in
    @file) _files ;;
    @none | '') ;;
    @*)
      file="${XDG_CACHE_HOME:-$HOME/.cache}/rancherctl/names/${1#@}"
      [[ -r $file ]] && compadd -- "${(@f)$(<$file)}" ;;
    *) compadd -- ${=1} ;;
  esac
}
_rancherctl() {
  local at count wanted commands options
  local -a given
  given=("${(@)words[2,CURRENT-1]}")
  _rancherctl_walk "$given[@]"
  if [[ -n $wanted ]]; then _rancherctl_offer "$wanted"; return; fi
  if [[ ${words[CURRENT]} == --*=* ]]; then
    wanted=$(_rancherctl_follows "$at ${words[CURRENT]%%=*}")
    compset -P '*='
    _rancherctl_offer "$wanted"
    return
  fi
  _rancherctl_words "$at"
  if [[ ${words[CURRENT]} == -* ]]; then _rancherctl_offer "$options"
  elif [[ -n $commands ]]; then _rancherctl_offer "$commands"
  else _rancherctl_offer "$(_rancherctl_argument "$at $count")"
  fi
}
if [[ $funcstack[1] == _rancherctl ]]; then
  _rancherctl "$@"
else
  compdef _rancherctl rancherctl 2>/dev/null
fi
"""


def fish(root: Node) -> str:
    """The script for fish 3 and later."""
    out = ["# rancherctl completion for fish; made by `rancherctl completion fish`, do not edit", _fish_walk(root)]
    out.append("complete -c rancherctl -f")
    for place in places(root):
        at = f"-n '__rancherctl_at {_fish_word(place.path)}'"
        out += [f"complete -c rancherctl {at} -a {name} -d {_fish_text(summary)}" for name, summary in place.children]
        for option in place.options:
            spelled = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            value = " " + _fish_values(values(option.metavar), "-x") if option.takes_value else ""
            out.append(f"complete -c rancherctl {at} {spelled}{value} -d {_fish_text(option.help)}")
        for number, kind in enumerate(place.arguments):
            if kind != "@none":
                out.append(f"complete -c rancherctl -n '__rancherctl_at {_fish_word(place.path)} {number}' {_fish_values(kind, '')}".rstrip())
    return "\n".join(out) + "\n"


def _fish_walk(root: Node) -> str:
    known = " ".join(_fish_word(place.path) for place in places(root) if place.path)
    taking = sorted({name for place in places(root) for option in place.options if option.takes_value for name in option.names})
    renamed = "\n".join(f"        case {_fish_word(f'{p} {a}'.strip())}\n            echo {w}" for p, a, w in aliases(root))
    return _FISH % {"known": known, "taking": " ".join(taking), "aliases": renamed}


def _fish_word(text: str) -> str:
    return '"' + text + '"'


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ") + "'"


def _fish_values(kind: str, exclusive: str) -> str:
    if kind == "@file":
        return "-r -F"
    if kind == "@none":
        return exclusive
    source = f"(__rancherctl_names {kind[1:]})" if kind.startswith("@") else kind
    return f"{exclusive} -a {_fish_text(source)}".strip()


_FISH: Final = """\
function __rancherctl_real
    switch "$argv"
%(aliases)s
        case '*'
            string split ' ' -- "$argv" | tail -n 1
    end
end
function __rancherctl_at --description 'true at this command; with a second word, when that many arguments were given'
    set -l known %(known)s
    set -l path
    set -l count 0
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        if string match -q -- '-*' $word
            contains -- $word %(taking)s; and set skip 1
            continue
        end
        set -l next (string join ' ' -- $path (__rancherctl_real (string join ' ' -- $path $word)))
        if contains -- $next $known
            set path (string split ' ' -- $next)
        else
            set count (math $count + 1)
        end
    end
    test "$path" = "$argv[1]"; or return 1
    test (count $argv) = 1; or test $count = $argv[2]
end
function __rancherctl_names
    set -l cache $XDG_CACHE_HOME
    test -n "$cache"; or set cache $HOME/.cache
    test -r $cache/rancherctl/names/$argv[1]; and cat $cache/rancherctl/names/$argv[1]
end
"""

SCRIPTS: Final[dict[str, Callable[[Node], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
