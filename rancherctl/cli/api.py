"""A client for an environment's API with this operator's own credential: the one way for nouns that read or change objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from rancherctl.cli.context import Run
from rancherctl.cli.tunnel import way
from rancherctl.credentials.renewal import default
from rancherctl.kube.rest import RestClient


@contextmanager
def api(run: Run, env: str | None) -> Iterator[RestClient]:
    """The API of the environment that is meant, through ssh where it cannot be reached. NotFoundError where there are no credentials for it."""
    known = run.known()
    name = known.select(env or run.settings.env)
    renewal = default(run.settings.dirs, run.say)
    access = renewal.registry.load(name)

    def token() -> str:
        return str(json.loads(renewal.document(name))["status"]["token"])

    with way(access, run.say) as server, RestClient(server, ca=access.ca.encode(), token=token) as client:
        yield client
