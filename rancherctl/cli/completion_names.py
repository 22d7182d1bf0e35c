"""Names that the completion scripts offer: one file per kind below the cache folder, one name a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.cli.runlog import logger
from rancherctl.errors import InvalidInputError, NotFoundError
from rancherctl.files import replace as replace_file
from rancherctl.settings import Settings

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@:+,%-]*")
"""Names that no shell can misread."""


def remember_names(settings: Settings, kind: str, names: Iterable[str]) -> None:
    """Write the names of a kind; unsafe ones are left out. An unwritable cache is logged and is not an error."""
    lines = sorted({name for name in names if _SAFE.fullmatch(name)})
    try:
        replace_file(settings.dirs.cache / "names" / kind, "".join(f"{line}\n" for line in lines).encode())
    except OSError as error:
        logger().warning("cannot write names for completion: %s", error)


def remember_environments(settings: Settings) -> None:
    """Write the names of all known environments and of their hosts."""
    known = KnownEnvironments(settings.dirs)
    hosts: set[str] = set()
    for name in known.names():
        try:
            hosts |= {host.name for host in known.read(name).hosts}
        except (InvalidInputError, NotFoundError):
            continue  # a damaged file, which the `env` commands report, or one that another process has just removed
    remember_names(settings, "environments", known.names())
    remember_names(settings, "hosts", hosts)
