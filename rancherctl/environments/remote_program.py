"""Send one of our small programs to a host and get its answer: the program's text in argv, one JSON request on standard input.

The programs may use ``hosts.remote.disk``, which goes with them: files of a host are written in one way only.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command
from rancherctl.hosts.helper import hint_for
from rancherctl.hosts.transport import Transport, decoded


@cache
def text_of(package: str) -> str:
    """The source of ``<package>.remote``."""
    return _source(package, "remote.py")


def _source(package: str, file: str) -> str:
    data = pkgutil.get_data(package, file)
    if data is None:
        raise RancherctlError(
            f"the program {package}/{file} is missing from this installation", hint="install rancherctl again"
        )
    return data.decode()


_START = """\
import os, sys, types
os.umask(0o022)  # hardened hosts give root one that would close folders to the daemons that must read in them
for name in ("rancherctl", "rancherctl.hosts", "rancherctl.hosts.remote", "rancherctl.hosts.remote.disk"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["rancherctl.hosts.remote"].disk = sys.modules["rancherctl.hosts.remote.disk"]
exec(compile({disk!r}, "disk.py", "exec", dont_inherit=True), sys.modules["rancherctl.hosts.remote.disk"].__dict__)
exec(compile({program!r}, "remote.py", "exec", dont_inherit=True), {{"__name__": "__main__"}})
"""


@cache
def program_of(package: str) -> str:
    """``<package>.remote`` with what it needs, as one text for ``python3 -c``."""
    return _START.format(disk=_source("rancherctl.hosts.remote", "disk.py"), program=text_of(package))


def call(transport: Transport, package: str, request: Mapping[str, Any], *, timeout: float = 120.0) -> dict[str, Any]:
    """Run one operation of ``<package>.remote`` as root; secrets travel in the request only. RancherctlError with the host's own words."""
    result = transport.run(
        Command(("python3", "-I", "-c", program_of(package)), json.dumps(request).encode(), True, timeout), check=False
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith((b'{"ok": ', b'{"error": '))]
    said = (result.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {result.status}"])[-1]
    try:
        answer: dict[str, Any] = decoded(lines[-1]) if lines else {"error": said}
    except ValueError as error:
        raise RancherctlError(
            f"{transport.name}: the answer to {request['op']} cannot be read", why=str(error)
        ) from error
    if "error" in answer:
        why = str(answer["error"])[:500]
        raise RancherctlError(
            f"{transport.name}: {request['op']} ({package.rpartition('.')[2]}) failed", why=why, hint=hint_for(why)
        )
    value: dict[str, Any] = answer["ok"]
    return value
