"""Explanations of names from a real named and a test's objects, without an API and ssh."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rancherctl.dns import named_conf, trace
from rancherctl.dns.operator.api_objects import ApiObjects
from rancherctl.dns.operator.asked import Asker
from rancherctl.dns.operator.explanation import Explanation, explain
from rancherctl.dns.operator.host_trace import HostTrace
from rancherctl.dns.records import Shape
from rancherctl.dns.trace import Client, Host
from rancherctl.kube import objects
from tests.fakes.dns_tables import World
from tests.fakes.named import Named

PARSERS = {"Service": objects.service, "EndpointSlice": objects.endpoint_slice, "Pod": objects.pod}


def objects_of(found: list[dict[str, Any]]) -> World:
    """The objects of a golden file."""
    world = World()
    world.add(*(PARSERS[obj["kind"]](obj) for obj in found))
    return world


def api_objects(world: World, *more: str) -> ApiObjects:
    """What the API has: the objects of a test's world, and namespaces without Services."""
    slices = {
        key: tuple(s for s in world.slices.values() if s.service_key == key)
        for key in {s.service_key for s in world.slices.values()}
    }
    namespaces = frozenset({key.partition("/")[0] for key in world.services} | set(more))
    return ApiObjects(dict(world.services), slices, dict(world.pods), namespaces)


def host_files(folder: Path, upstreams: Iterable[str]) -> Host:
    """A host whose agent reports that the first upstream is used, and whose kubelet takes no search domains from it."""
    section = folder / "dns.json"
    rows = [
        {"server": server, "domain": "", "order": order, "alive": True, "in_use": order == 1, "why": ""}
        for order, server in enumerate(upstreams, 1)
    ]
    section.write_text(json.dumps({"upstreams": {"used": [rows[0]["server"]], "dead": [], "servers": rows}}))
    (folder / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (folder / "kubelet.yaml").write_text(f"resolvConf: {folder / 'resolv.conf'}\n")
    return Host(folder / "kubelet.yaml", folder / "proc", section)


def explained(
    named: Named,
    api: ApiObjects,
    name: str,
    host: Host,
    *,
    kind: str = "",
    client: Client | None = None,
    asker: Asker | None = None,
) -> Explanation:
    """What ``dns explain`` finds for one host."""
    client = client or Client()
    found = HostTrace.of("h1", json.loads(json.dumps(trace.trace(named.config, name, kind, client, host))))
    shape = Shape(named.config.domain, frozenset(named_conf.zones(named.config)))
    return explain(name.lower(), asker or Asker(client.namespace), [found], api, shape)
