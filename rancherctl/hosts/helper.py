"""Call one operation of ``hosts.remote`` on a host: the programs travel with the request, the answer is JSON."""

from __future__ import annotations

import json
import pkgutil
from functools import cache
from typing import Any

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.transport import Transport, decoded

_OBSERVE = ("disk", "run", "observe")
_RESOLVE = ("disk", "run", "aptget", "bundled")
_APPLY = (*_OBSERVE, "exclusive", "aptget", "bundled", "packages", "services", "apply")
MODULES: dict[str, tuple[str, ...]] = {
    "observe": _OBSERVE,
    "resolve": _RESOLVE,
    "apply": _APPLY,
    "remove": (*_APPLY, "remove"),
    "offset": ("disk", "receive"),
    "receive": ("disk", "receive"),
    "lock": ("disk", "lock"),
}
"""What each operation needs of ``hosts.remote`` beside ``main``, in the order of the imports."""

_START = """# a step of rancherctl
import json, sys, types
read = sys.stdin.buffer
sizes = read.readline().split()
modules = json.loads(read.read(int(sizes[0])))
request = json.loads(read.read(int(sizes[1])))
base = "rancherctl.hosts.remote"
for name in ("rancherctl", "rancherctl.hosts", base):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, text in modules:
    module = sys.modules[base + "." + name] = types.ModuleType(base + "." + name)
    setattr(sys.modules[base], name, module)
    exec(compile(text, name + ".py", "exec", dont_inherit=True), module.__dict__)
sys.modules[base + ".main"].main(request, read)
"""
ARGV = ("python3", "-IS", "-c", _START)


class HostStepError(RancherctlError):
    """A step on a host was refused or failed there; nothing is known to have changed beyond what the message says."""


@cache
def _program(operation: str) -> bytes:
    texts = []
    for name in (*MODULES[operation], "main"):
        data = pkgutil.get_data("rancherctl.hosts.remote", f"{name}.py")
        if data is None:
            raise HostStepError(
                f"the program {name} is missing from this installation", hint="install rancherctl again"
            )
        texts.append([name, data.decode()])
    return json.dumps(texts).encode()


def request_bytes(request: dict[str, Any]) -> bytes:
    """Standard input of one call: a line with two sizes, the programs, the request."""
    body, program = json.dumps(request).encode(), _program(request["op"])
    return f"{len(program)} {len(body)}\n".encode() + program + body


def helper_command(request: dict[str, Any], *, timeout: float = 60.0) -> Command:
    """The call as a Command; everything that may be secret is in its standard input."""
    return Command(ARGV, request_bytes(request), True, timeout)


def call(transport: Transport, request: dict[str, Any], *, timeout: float = 60.0) -> dict[str, Any]:
    """Run one operation and return its answer; HostStepError with the host's own message when it fails there."""
    result = transport.run(helper_command(request, timeout=timeout), check=False)
    return answer_of(transport.name, result)


def hint_for(why: str) -> str:
    """What to do about a step that failed on a host for this reason; "" when that is not known."""
    full = "do not fit" in why or "No space left" in why
    return "free space on the host and run the same command again: it goes on from here" if full else ""


def answer_of(host: str, result: Result) -> dict[str, Any]:
    """The answer in a finished call's output."""
    if result.status == 127 or b"python3: not found" in result.stderr:
        raise HostStepError(
            f"{host}: python3 is not installed", hint=f"install python3 on {host}: apt-get install python3"
        )
    lines = [line for line in result.stdout.splitlines() if line.startswith((b'{"ok": ', b'{"error": '))]
    if not lines:
        said = (result.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {result.status}"])[-1]
        raise HostStepError(f"{host}: a step on the host ended without an answer", why=said[:500])
    try:
        value = decoded(lines[-1])
    except ValueError as error:
        raise HostStepError(f"{host}: the answer of a step cannot be read", why=str(error)) from error
    if "error" in value:
        why = str(value["error"])
        raise HostStepError(f"{host}: a step on the host failed", why=why, hint=hint_for(why))
    answer: dict[str, Any] = value["ok"]
    return answer
