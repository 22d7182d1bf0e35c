"""Restore an environment's file and CA certificate from one of its control-plane hosts, through ssh only."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from rancherctl.environments.components import places
from rancherctl.environments.design import MARKER
from rancherctl.environments.dump import portable
from rancherctl.environments.inventory import load
from rancherctl.environments.manifests.base import RECORD, RECORD_KEY, SYSTEM
from rancherctl.environments.model import Environment
from rancherctl.environments.pki import hosts as pki
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.hosts.command import script
from rancherctl.hosts.transport import Transport
from rancherctl.text import last_line, shorten

MAX_WHY = 300
"""Characters of a program's own message that are shown."""

_READ = """
kubectl=$(ls -d /opt/rancherctl/kubernetes/*/bin/kubectl | sort -V | tail -n 1)
printf '\\n%s\\n' "$4"
exec "$kubectl" --kubeconfig "$1" --request-timeout 20s -n "$2" get configmap "$3" -o json
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An environment as last applied, its API's URL and its CA certificate."""

    environment: Environment
    server: str
    ca_pem: str


def fetch(transport: Transport) -> Fetched:
    """Read them from a control-plane host. NotFoundError if the host is not one of an environment."""
    found = pki.fetch(transport, [MARKER, places.CA])
    if MARKER not in found:
        raise NotFoundError(
            f"{transport.name} belongs to no environment", hint="name a control-plane host of the environment"
        )
    marker = _marker(transport.name, found[MARKER])
    if "controlplane" not in marker.get("roles", ()):
        raise NotFoundError(
            f"{transport.name} is a {', '.join(marker.get('roles', ()))} host of {marker.get('environment')}",
            hint="name a control-plane host of that environment",
        )
    boundary = f"rancherctl-{secrets.token_hex(8)}"
    result = transport.run(script(_READ, places.kubeconfig("admin"), SYSTEM, RECORD, boundary), check=False)
    if not result.ok:
        why = shorten(last_line(result.stderr, f"exit status {result.status}"), MAX_WHY)
        what = f"{transport.name}: the record of environment {marker.get('environment')} cannot be read"
        raise RancherctlError(
            what,
            why=why,
            hint=f"check that its API runs: journalctl -n 50 -u {places.unit('kube-apiserver')} on {transport.name}",
        )
    # a login may print a greeting first
    body = result.stdout.partition(f"\n{boundary}\n".encode())[2]
    try:
        text = json.loads(body)["data"][RECORD_KEY]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RancherctlError(
            f"{transport.name}: the record of environment {marker.get('environment')} is damaged", why=str(error)
        ) from error
    # without paths: they would name files of this machine, and an ssh configuration can run programs
    environment = portable(load(text, f"the record on {transport.name}").environment)
    return Fetched(environment, environment.server(), str(found[places.CA]))


def _marker(host: str, text: str) -> dict[str, Any]:
    try:
        marker = json.loads(text)
        return {"environment": str(marker["environment"]), "roles": [str(role) for role in marker["roles"]]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RancherctlError(
            f"{host}: {MARKER} is damaged", why=str(error), hint="name another control-plane host of the environment"
        ) from error
