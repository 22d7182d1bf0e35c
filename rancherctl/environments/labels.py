"""Labels of an environment, stored in its API with the record of the last apply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from rancherctl.environments.dump import dump
from rancherctl.environments.inventory import load
from rancherctl.environments.manifests.base import RECORD, RECORD_KEY, SYSTEM
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube.client import CONFIGMAPS, KubeClient
from rancherctl.text import plural

FEDERATION: Final = "federation"
"""The label that names the federation which the environment joins."""


def relabelled(
    labels: Mapping[str, str], wanted: Mapping[str, str], removed: Iterable[str], *, overwrite: bool
) -> dict[str, str]:
    """The labels after a change; ConflictError if one has another value and may not be overwritten. Pure."""
    others = [f"{key}={labels[key]}" for key in wanted if labels.get(key, wanted[key]) != wanted[key]]
    if others and not overwrite:
        raise ConflictError(
            f"{plural(len(others), 'label')} with another value: {', '.join(others)}",
            hint="nothing was changed; --overwrite replaces them",
        )
    gone = set(removed)
    return {key: value for key, value in labels.items() if key not in gone} | dict(wanted)


def store(client: KubeClient, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> dict[str, str]:
    """Change the labels in the record of the last apply, and nothing else of it; returns the new labels.

    NotFoundError if the environment was never applied completely; ConflictError if somebody changed the record
    meanwhile.
    """
    try:
        found = client.get(CONFIGMAPS, RECORD, namespace=SYSTEM)
    except NotFoundError as error:
        raise NotFoundError(
            "the environment has no record of an apply yet", hint="run `rancherctl env apply` first"
        ) from error
    environment = load(found["data"][RECORD_KEY], f"the record {SYSTEM}/{RECORD}").environment
    labels = dict(change(environment.labels))
    if labels != dict(environment.labels):
        version = found["metadata"]["resourceVersion"]
        text = dump(replace(environment, labels=labels))
        body = {"metadata": {"resourceVersion": version}, "data": {RECORD_KEY: text}}
        client.patch(CONFIGMAPS, RECORD, body, namespace=SYSTEM)
    return labels
