"""Get an environment back from one of its control-plane hosts: its file and its authority, over ssh alone."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from rancherctl.environments.components import places
from rancherctl.environments.design import MARKER
from rancherctl.environments.dump import portable
from rancherctl.environments.inventory import load
from rancherctl.environments.manifests.base import RECORD, SYSTEM
from rancherctl.environments.model import Environment
from rancherctl.environments.pki import hosts as pki
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.hosts.command import script
from rancherctl.hosts.transport import Transport

_READ = """
kubectl=$(ls -d /opt/rancherctl/kubernetes/*/bin/kubectl | sort -V | tail -n 1)
printf '\\n%s\\n' "$4"
exec "$kubectl" --kubeconfig "$1" --request-timeout 20s -n "$2" get configmap "$3" -o json
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An environment as last applied, where its API is and whom to trust there."""

    environment: Environment
    server: str
    ca_pem: str


def fetch(transport: Transport) -> Fetched:
    """Read both from a control-plane host. NotFoundError when the host belongs to no environment or is no control-plane host."""
    found = pki.fetch(transport, [MARKER, places.CA])
    if MARKER not in found:
        raise NotFoundError(
            f"{transport.name} belongs to no environment", hint="name a control-plane host of the environment"
        )
    marker = _marker(transport.name, found[MARKER])
    if "controlplane" not in marker.get("roles", ()):
        raise NotFoundError(
            f"{transport.name} is a {', '.join(marker.get('roles', ()))} host of {marker.get('environment')}",
            hint="name a control-plane host of it",
        )
    boundary = f"rancherctl-{secrets.token_hex(8)}"
    result = transport.run(script(_READ, places.kubeconfig("admin"), SYSTEM, RECORD, boundary), check=False)
    if not result.ok:
        said = (result.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {result.status}"])[-1]
        what = f"{transport.name}: the record of environment {marker.get('environment')} cannot be read"
        raise RancherctlError(
            what,
            why=said[:300],
            hint=f"does its API run? journalctl -n 50 -u {places.unit('kube-apiserver')} on {transport.name}",
        )
    # a login may print a greeting before it
    body = result.stdout.partition(f"\n{boundary}\n".encode())[2]
    try:
        text = json.loads(body)["data"]["environment"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RancherctlError(
            f"{transport.name}: the record of environment {marker.get('environment')} is damaged", why=str(error)
        ) from error
    # whatever it says of files: they would be this machine's, and an ssh configuration can run programs
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
