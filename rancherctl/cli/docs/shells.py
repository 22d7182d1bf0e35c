"""Completion scripts from the command tree: static words in the script, names from a cache of plain lines. Pure: tree → text.

A TAB starts no Python: commands, options and their choices are in the script, and names of environments, hosts and ingresses are read from
``$XDG_CACHE_HOME/rancherctl/names/KIND``, one per line, by the shell itself and never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rancherctl.cli.docs.completion_places import aliases, places, values
from rancherctl.cli.docs.fish import fish
from rancherctl.cli.docs.tree import Node


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
        argument += [
            f"    '{place.path} {n}') echo '{kind}' ;;" for n, kind in enumerate(place.arguments) if kind != "@none"
        ]
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


SCRIPTS: Final[dict[str, Callable[[Node], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
