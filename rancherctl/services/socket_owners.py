"""Name the programs that have listening sockets: by their units and users, without rights to see their processes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from rancherctl.contract import INGRESS_USER
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.services.model import Port
from rancherctl.services.ports_in_use import SS, Owner, owners, words

CGROUPS: Final = Path("/sys/fs/cgroup")


def user_name(uid: int) -> str:
    """The login name; the number if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def name_owners(
    transport: Transport, sockets: Iterable[tuple[Port, int]], pods: Mapping[str, str], root: Path = CGROUPS
) -> dict[Port, str]:
    """Words for each port; the load balancer's own, which its user has, are left out.

    ``sockets`` are ports with the number of the socket's user; ``pods`` maps UIDs to keys.
    """
    named = {port: user_name(uid) for port, uid in sockets}
    others = {port: user for port, user in named.items() if user != INGRESS_USER}
    if not others:
        return {}
    shown = transport.run(command("ss", *SS), check=False)
    found = owners(shown.text()) if shown.ok else {}
    paths = _paths({o.cgroup for port, o in found.items() if port in others and isinstance(o.cgroup, int)}, root)
    out = {}
    for port, user in others.items():
        owner = found.get(port, Owner())
        path = paths.get(owner.cgroup, "") if isinstance(owner.cgroup, int) else owner.cgroup
        out[port] = words(user, owner, path, pods)
    return out


def _paths(numbers: Collection[int], root: Path) -> dict[int, str]:
    """Paths of cgroups by number, which is the inode of their folder."""
    out: dict[int, str] = {}
    for folder, _, _ in os.walk(root) if numbers else ():
        number = Path(folder).stat().st_ino
        if number in numbers:
            out[number] = folder.removeprefix(str(root))
            if len(out) == len(numbers):
                break
    return out
