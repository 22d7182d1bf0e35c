"""Run one of our programs on a host.

Its modules and one JSON request travel on standard input, one JSON answer comes back.

This is the only way: a host needs nothing but Python, and always runs the code of the release that calls it. Arguments
can be read by every user of a host, so argv holds only a fixed loader; requests may contain secrets.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.transport import Transport
from rancherctl.text import last_line

BASE: Final = "rancherctl.hosts.remote"
_OBSERVE = ("run", "observe")
_RESOLVE = ("run", "aptget", "bundled")
_APPLY = (*_OBSERVE, "exclusive", "aptget", "bundled", "packages", "journal", "services", "apply")
MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "observe": _OBSERVE,
    "resolve": _RESOLVE,
    "apply": _APPLY,
    "remove": (*_APPLY, "remove"),
    "offset": ("receive",),
    "receive": ("receive",),
    "lock": ("lock",),
    "connect": ("connect",),
    "start_join_paths": ("run", "join_paths"),
    "probe_join_paths": ("run", "join_paths"),
    "stop_join_paths": ("run", "join_paths"),
}
"""Operation of ``hosts.remote`` → its module and what that imports beside ``disk``, in the order of the imports."""

_START = """# a step of rancherctl
import json, os, sys, types
os.umask(0o022)  # the umask of a hardened root login would lock daemons out of the folders that are created
read = sys.stdin.buffer
sizes = read.readline().split()
modules = json.loads(read.read(int(sizes[0])))
request = json.loads(read.read(int(sizes[1])))
def create(name):
    parent, _, last = name.rpartition(".")
    if parent and parent not in sys.modules:
        create(parent)
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    if parent:
        setattr(sys.modules[parent], last, module)
    return module
for name, text in modules:
    exec(compile(text, name, "exec", dont_inherit=True), create(name).__dict__)
sys.modules["rancherctl.hosts.remote.main"].main(modules[-1][0], request)
"""
ARGV: Final = ("python3", "-IS", "-c", _START)
RESUME_HINT: Final = "free space on the host and run the same command again; it resumes where it stopped"


class HostStepError(RancherctlError):
    """An operation failed on a host; nothing is known to have changed beyond what the message says."""


def source_of(module: str) -> str:
    """The source text of a module that is sent to hosts or stored there."""
    package, _, name = module.rpartition(".")
    data = pkgutil.get_data(package, f"{name}.py")
    if data is None:
        raise HostStepError(f"module {module} is missing from this installation", hint="reinstall rancherctl")
    return data.decode()


@cache
def _program(operation: str, module: str) -> bytes:
    modules = [f"{BASE}.{name}" for name in ("disk", "main", *(() if module else MODULES[operation]))]
    return json.dumps([[name, source_of(name)] for name in (*modules, *filter(None, [module]))]).encode()


def request_bytes(request: Mapping[str, Any], module: str = "") -> bytes:
    """Standard input of one call: a line with two sizes in bytes, the modules, the request."""
    body, program = json.dumps(request).encode(), _program(request["op"], module)
    return f"{len(program)} {len(body)}\n".encode() + program + body


def call(
    transport: Transport, request: Mapping[str, Any], *, module: str = "", timeout: float = 60.0, root: bool = True
) -> dict[str, Any]:
    """Run the operation ``request["op"]`` and return its answer.

    HostStepError with the host's own message if it fails there.

    ``module`` is a program outside ``hosts.remote`` that imports only ``hosts.remote.disk`` and lists its
    ``OPERATIONS``.
    """
    result = transport.run(Command(ARGV, request_bytes(request, module), root, timeout), check=False)
    group = module.removesuffix(".remote").rpartition(".")[2]
    return answer_of(transport.name, result, f"{group} {request['op']}".strip())


def answer_of(host: str, result: Result, operation: str) -> dict[str, Any]:
    """The answer in a finished call's output; a login may print a greeting before it.

    ``operation`` is its name in messages.
    """
    if result.status == 127 or b"python3: not found" in result.stderr:
        raise HostStepError(
            f"{host}: python3 is not installed", hint=f"install python3 on {host}: apt-get install python3"
        )
    lines = [line for line in result.stdout.splitlines() if line.startswith((b'{"ok": ', b'{"error": '))]
    if not lines:
        why = last_line(result.stderr, last_line(result.stdout, f"exit status {result.status}"))
        hint = f"check that the login runs commands: a login shell other than nologin, no ForceCommand on {host}"
        raise HostStepError(f"{host}: {operation} ended without an answer", why=why[:500], hint=hint)
    try:
        answer: dict[str, Any] = json.loads(lines[-1])
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise HostStepError(f"{host}: the answer of {operation} cannot be read", why=why) from error
    if "error" in answer:
        why = str(answer["error"])[:2000]
        raise HostStepError(f"{host}: {operation} failed", why=why, hint=hint_for(why))
    value: dict[str, Any] = answer["ok"]
    return value


def hint_for(why: str) -> str:
    """What to do about an operation that failed for this reason; "" if unknown."""
    return RESUME_HINT if "do not fit" in why or "No space left" in why else ""
