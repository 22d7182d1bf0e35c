"""Commands that lead from some maps to others, in an order in which no request finds only a part. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.ingress.haproxy import commands
from rancherctl.ingress.haproxy.client_certificates import NAMES_MAP
from rancherctl.ingress.haproxy.commands import RuntimeCommand
from rancherctl.ingress.haproxy.maps import MAPS
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.translate.clients import NO_PROOF

Maps = Mapping[str, Mapping[str, str]]


@dataclass(slots=True)
class MapChange:
    """``grow`` and ``shrink`` what is served, in this order; ``keys`` (map, key) change.

    ``before`` comes before any change of certificates, ``after`` after all other commands.
    """

    before: list[RuntimeCommand] = field(default_factory=list)
    grow: list[RuntimeCommand] = field(default_factory=list)
    shrink: list[RuntimeCommand] = field(default_factory=list)
    after: list[RuntimeCommand] = field(default_factory=list)
    keys: set[tuple[str, str]] = field(default_factory=set)


def map_change(old: Maps, new: Maps, paths: Paths) -> MapChange:
    """Add a host name after its paths and options, and remove it before them."""
    out = MapChange()
    _change_proofs(old[NAMES_MAP], new[NAMES_MAP], paths.map(NAMES_MAP), out)
    different = [name for name in MAPS if name != NAMES_MAP and old[name] != new[name]]
    for name in reversed(different):
        path, before, entries = paths.map(name), old[name], _entries(old[name], new[name])
        out.grow += commands.add_entries(path, {k: v for k, v in entries.items() if k not in before})
        out.grow += [commands.set_entry(path, k, v) for k, v in entries.items() if k in before]
        out.keys.update((name, key) for key in entries)
    for name in different:
        gone = old[name].keys() - new[name].keys()
        out.shrink += commands.delete_entries(paths.map(name), gone)
        out.keys.update((name, key) for key in gone)
    return out


def _entries(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The entries of ``new`` that ``old`` does not have, sorted."""
    return dict(sorted([(k, v) for k, v in new.items() if old.get(k) != v]))


def _change_proofs(old: Mapping[str, str], new: Mapping[str, str], path: str, out: MapChange) -> None:
    """Change what handshakes for names prove: it is nothing while their certificates and authorities change.

    Otherwise a handshake in between could prove what belongs to other authorities.
    """
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    out.before += commands.add_entries(path, dict.fromkeys(changed - old.keys(), NO_PROOF))
    out.before += [commands.set_entry(path, name, NO_PROOF) for name in sorted(changed & old.keys())]
    out.after += [commands.set_entry(path, name, new[name]) for name in sorted(changed & new.keys())]
    out.after += commands.delete_entries(path, changed - new.keys())
    out.keys.update((NAMES_MAP, name) for name in changed)
