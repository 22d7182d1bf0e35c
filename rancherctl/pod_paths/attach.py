"""Connect the check endpoint to the pod network of this host, as the CNI plug-in ptp connects a pod."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rancherctl.contract import CHECK_DEVICE
from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.pod_paths import endpoint as endpoint_process
from rancherctl.pod_paths.endpoint import INSIDE
from rancherctl.pod_paths.model import Endpoint

ANSWER_SECONDS = 5.0


def attached(transport: Transport, path: Path, wanted: Endpoint, mtu: int) -> bool:
    """Whether the endpoint has its address, and the host's device, address and route lead to it."""
    answer = endpoint_process.ask(path, {}, ANSWER_SECONDS)
    if answer.get("address") != wanted.address:
        return False
    shown = transport.run(command("ip", "-j", "-4", "addr", "show", "dev", CHECK_DEVICE), check=False)
    routes = transport.run(command("ip", "-j", "-4", "route", "show", f"{wanted.address}/32"), check=False)
    return (shown.ok and routes.ok) and _is_complete(shown.stdout, routes.stdout, wanted, mtu)


def _is_complete(shown: bytes, routes: bytes, wanted: Endpoint, mtu: int) -> bool:
    device: dict[str, Any] = next(iter(json.loads(shown or b"[]")), {})
    addresses = {entry.get("local") for entry in device.get("addr_info", ())}
    leads = any(entry.get("dev") == CHECK_DEVICE for entry in json.loads(routes or b"[]"))
    up = "UP" in device.get("flags", ()) and "LOWER_UP" in device.get("flags", ())
    return leads and up and wanted.gateway in addresses and device.get("mtu") == mtu


def attach(transport: Transport, path: Path, wanted: Endpoint, mtu: int) -> None:
    """Make device, addresses and routes unless they are there. RancherctlError with the step that failed."""
    if attached(transport, path, wanted, mtu):
        return
    process = endpoint_process.process_of(path)
    transport.run(command("ip", "link", "del", CHECK_DEVICE), check=False)
    size = ("mtu", str(mtu))
    peer = ("peer", "name", INSIDE, *size, "netns", str(process))
    transport.run(command("ip", "link", "add", CHECK_DEVICE, *size, "type", "veth", *peer))
    transport.run(command("ip", "addr", "add", f"{wanted.gateway}/32", "dev", CHECK_DEVICE))
    transport.run(command("ip", "link", "set", CHECK_DEVICE, "up"))
    inside = {"address": wanted.address, "gateway": wanted.gateway}
    endpoint_process.ask(path, {"configure": inside}, ANSWER_SECONDS)
    transport.run(command("ip", "route", "replace", f"{wanted.address}/32", "dev", CHECK_DEVICE, "scope", "link"))
    if not attached(transport, path, wanted, mtu):
        raise RancherctlError(f"the device {CHECK_DEVICE} of the check endpoint did not come up")
