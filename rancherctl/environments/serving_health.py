"""Whether a host's load balancer serves as before: it answers on the host, and its agent confirms Ingresses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from rancherctl.contract import NAMESPACE, REPORT_PREFIX
from rancherctl.environments.run import EnvironmentRun
from rancherctl.environments.stored_json import report_section
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.model import Host
from rancherctl.kube.client import CONFIGMAPS
from rancherctl.role_spec import RoleSpec

SECONDS: Final = 5.0
_PROGRAM: Final = """
import json, socket, sys
host, port, seconds = json.load(sys.stdin)
try:
    with socket.create_connection((host, port), seconds) as connection:
        connection.sendall(b"HEAD / HTTP/1.0\\r\\n\\r\\n")
        sys.exit(0 if connection.recv(1) else "closed without an answer")
except OSError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """``answers``: whether it answers HTTP at the host's address; a host without Ingresses does not.

    ``process`` is what the agent has reported as its process (None = no report), ``confirmed`` whether it serves
    anything, ``trouble`` what is wrong.
    """

    answers: bool
    process: object = None
    confirmed: bool = False
    trouble: str = ""


def observe(run: EnvironmentRun, host: Host, spec: RoleSpec) -> Serving:
    """What the host's ``spec.serving`` does now. Raises RancherctlError if the host or the API cannot be asked."""
    assert spec.serving is not None
    request = json.dumps([host.address, spec.serving.port, SECONDS])
    asked = command("python3", "-I", "-c", _PROGRAM, stdin=request, timeout=3 * SECONDS)
    answers = run.context.transport(host).run(asked, check=False).ok
    if not run.api_answers():
        return Serving(answers)
    try:
        report = run.client().get(CONFIGMAPS, f"{REPORT_PREFIX}{host.name}", namespace=NAMESPACE)
    except NotFoundError:
        return Serving(answers)
    section = report_section(report, spec.name)
    process, confirmed = spec.serving.seen(section)
    return Serving(answers, process, confirmed, "; ".join(spec.health(section)))


def problem(run: EnvironmentRun, host: Host, spec: RoleSpec, before: Serving) -> str:
    """Why it does not serve as ``before`` its restart; "" if it does."""
    assert spec.serving is not None
    try:
        now = observe(run, host, spec)
    except RancherctlError as error:
        return str(error)
    if before.answers and not now.answers:
        return f"no answer at {host.address}, port {spec.serving.port}"
    if now.trouble and not before.trouble:
        return now.trouble
    if before.process is not None and now.process == before.process:
        return "its agent has not reported the new process yet"
    return "its agent does not confirm any Ingress yet" if before.confirmed and not now.confirmed else ""
