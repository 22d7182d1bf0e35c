"""The completion script for fish, whose completions are single rules and no function. Pure: tree → text."""

from __future__ import annotations

from typing import Final

from rancherctl.cli.docs.completion_places import aliases, places, values
from rancherctl.cli.docs.tree import Node


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
                out.append(
                    f"complete -c rancherctl -n '__rancherctl_at {_fish_word(place.path)} {number}' {_fish_values(kind, '')}".rstrip()
                )
    return "\n".join(out) + "\n"


def _fish_walk(root: Node) -> str:
    known = " ".join(_fish_word(place.path) for place in places(root) if place.path)
    taking = sorted(
        {name for place in places(root) for option in place.options if option.takes_value for name in option.names}
    )
    renamed = "\n".join(
        f"        case {_fish_word(f'{p} {a}'.strip())}\n            echo {w}" for p, a, w in aliases(root)
    )
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
