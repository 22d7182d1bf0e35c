"""A kubeconfig for a component on a host: paths of certificates, no secret inside. Pure."""

from __future__ import annotations

import json

from rancherctl.environments.components import places
from rancherctl.environments.model import LOCAL_API
from rancherctl.hosts.model import File


def kubeconfig(name: str, *, server: str = LOCAL_API, owner: str = "root:root") -> File:
    """The kubeconfig of the identity whose leaf is called ``name`` (JSON, which is YAML)."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "environment", "cluster": {"server": server, "certificate-authority": places.CA}}],
        "users": [{"name": name, "user": {"client-certificate": places.crt(name), "client-key": places.key(name)}}],
        "contexts": [{"name": "environment", "context": {"cluster": "environment", "user": name}}],
        "current-context": "environment",
    }
    return File(places.kubeconfig(name), (json.dumps(body, indent=1) + "\n").encode(), 0o600, owner)


def yaml_file(path: str, body: object, mode: int = 0o644, owner: str = "root:root") -> File:
    """A configuration file of Kubernetes as JSON with one key a line (JSON is YAML; diffs stay readable)."""
    return File(path, (json.dumps(body, indent=1) + "\n").encode(), mode, owner)
