"""What the trusted zone of firewalld accepts for rancherctl: one ipset, and addresses until firewalld has loaded it.

firewalld can make an ipset in its permanent configuration only, and a reload would lose run-time settings of others. So
until its next reload the addresses themselves are sources of the running zone. More than one source must not be in
the permanent zone: firewalld 2.3.1 then keeps rules for pairs of them after their removal (docs/adr/0052).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rancherctl.contract import DATA
from rancherctl.hosts.firewall import COMMENT, ZONE, Argv, RuleChange

IPSET: Final = COMMENT
SOURCE: Final = f"ipset:{IPSET}"
RECORD: Final = f"{DATA}/firewalld-sources.json"
MARK: Final = "== "

READ: Final = f"""
echo '{MARK}record'; if test -e {RECORD}; then cat {RECORD}; fi
read_set() {{
  if "$@" --get-ipsets | tr ' ' '\\n' | grep -qx {IPSET}; then
    echo "{MARK}$name-set"
    "$@" --ipset={IPSET} --get-entries
  fi
}}
name=permanent
if systemctl is-active --quiet firewalld.service; then
  echo '{MARK}permanent'; firewall-cmd --permanent --zone={ZONE} --list-sources
  read_set firewall-cmd --permanent
  name=runtime
  echo '{MARK}runtime'; firewall-cmd --zone={ZONE} --list-sources
  read_set firewall-cmd
elif command -v firewall-offline-cmd >/dev/null; then
  echo '{MARK}offline'; echo '{MARK}permanent'; firewall-offline-cmd --zone={ZONE} --list-sources
  read_set firewall-offline-cmd
fi
"""
"""POSIX shell; prints the parts that ``parse`` takes."""


@dataclass(frozen=True, slots=True)
class FirewalldSources:
    """``permanent``, ``runtime``: all sources of the trusted zone. ``kept``, ``loaded``: entries of rancherctl's ipset
    in the permanent configuration and in the running firewalld, None if it does not exist there. ``recorded``: sources
    that rancherctl added to the running zone. ``offline``: firewalld is installed and does not run.
    """

    permanent: frozenset[str] = frozenset()
    runtime: frozenset[str] = frozenset()
    kept: frozenset[str] | None = None
    loaded: frozenset[str] | None = None
    recorded: frozenset[str] = frozenset()
    offline: bool = False

    @property
    def own(self) -> frozenset[str]:
        """Addresses that are sources of the running zone because of rancherctl, and of no one else."""
        return (self.recorded & self.runtime) - self.permanent

    def accepts(self, source: str) -> bool:
        """Whether rancherctl's part of both configurations accepts it."""
        running = source in (self.loaded or ()) and SOURCE in self.runtime
        return source in (self.kept or ()) and SOURCE in self.permanent and (running or source in self.runtime)


def parse(parts: Mapping[str, Sequence[str]]) -> FirewalldSources:
    """Parse the parts of ``READ``'s output: lines by the name after MARK. ValueError if the record is damaged."""

    def words(name: str) -> frozenset[str]:
        return frozenset(" ".join(parts.get(name, ())).split())

    return FirewalldSources(
        words("permanent"),
        words("runtime"),
        words("permanent-set") if "permanent-set" in parts else None,
        words("runtime-set") if "runtime-set" in parts else None,
        frozenset(json.loads("".join(parts.get("record", ())) or "[]")),
        "offline" in parts,
    )


def plan(found: FirewalldSources, wanted: Sequence[str]) -> list[RuleChange]:
    """The changes after which the zone accepts ``wanted`` and nothing else for rancherctl. Pure."""
    missing = [source for source in wanted if not found.accepts(source)]
    gone = sorted(((found.kept or frozenset()) | (found.loaded or frozenset()) | found.own) - set(wanted))
    out = []
    if missing:
        out.append(RuleChange("create", f"firewalld {ZONE} {SOURCE}: {', '.join(missing)}", _add(found, missing)))
    if gone or (not wanted and (found.kept is not None or found.recorded)):
        name = f"firewalld {ZONE} {SOURCE}" + (f": {', '.join(gone)}" if gone else "")
        recorded = (found.recorded | set(missing)) if found.loaded is None and missing else found.recorded
        out.append(RuleChange("delete", name, _remove(found, gone, recorded, everything=not wanted)))
    return out


def _add(found: FirewalldSources, missing: Sequence[str]) -> tuple[Argv, ...]:
    """firewall-cmd succeeds with a warning if there is nothing to do."""
    out = []
    plain = [source for source in missing if source not in found.runtime] if found.loaded is None else []
    if plain:
        out.append(_record({*found.recorded, *plain}))
    if found.kept is None:
        out.append(_permanent(found, f"--new-ipset={IPSET}", "--type=hash:net"))
    out += [_permanent(found, f"--ipset={IPSET}", f"--add-entry={source}") for source in missing]
    if SOURCE not in found.permanent:
        out.append(_permanent(found, f"--zone={ZONE}", f"--add-source={SOURCE}"))
    out += [_runtime(f"--zone={ZONE}", f"--add-source={source}") for source in plain]
    if found.loaded is not None:
        out += [_runtime(f"--ipset={IPSET}", f"--add-entry={s}") for s in missing if s not in found.loaded]
        if SOURCE not in found.runtime:
            out.append(_runtime(f"--zone={ZONE}", f"--add-source={SOURCE}"))
    return tuple(out)


def _remove(
    found: FirewalldSources, gone: Sequence[str], recorded: Iterable[str], *, everything: bool
) -> tuple[Argv, ...]:
    """The running ipset can be emptied, not removed: firewalld drops it at its next reload."""
    out = []
    if everything:
        if SOURCE in found.permanent:
            out.append(_permanent(found, f"--zone={ZONE}", f"--remove-source={SOURCE}"))
        if found.kept is not None:
            out.append(_permanent(found, f"--delete-ipset={IPSET}"))
        if SOURCE in found.runtime:
            out.append(_runtime(f"--zone={ZONE}", f"--remove-source={SOURCE}"))
    else:
        entries = [source for source in gone if source in (found.kept or ())]
        out += [_permanent(found, f"--ipset={IPSET}", f"--remove-entry={source}") for source in entries]
    out += [_runtime(f"--ipset={IPSET}", f"--remove-entry={s}") for s in gone if s in (found.loaded or ())]
    out += [_runtime(f"--zone={ZONE}", f"--remove-source={source}") for source in gone if source in found.own]
    if found.recorded:
        out.append(_record(() if everything else set(recorded) - set(gone)))
    return tuple(out)


def _permanent(found: FirewalldSources, *words: str) -> Argv:
    return ("firewall-offline-cmd", "-q", *words) if found.offline else ("firewall-cmd", "-q", "--permanent", *words)


def _runtime(*words: str) -> Argv:
    return ("firewall-cmd", "-q", *words)


def _record(sources: Iterable[str]) -> Argv:
    text = json.dumps(sorted(sources))
    write = f'mkdir -p {DATA} && printf "%s\\n" "$1" > {RECORD}.new && mv {RECORD}.new {RECORD}'
    return ("sh", "-c", write, "sh", text) if text != "[]" else ("rm", "-f", RECORD)
