"""StoredInventory: the publisher's inventory in a ConfigMap of the federation."""

from __future__ import annotations

from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.federation.apis import ConfigMapApi
from rancherctl.federation.inventory import Inventory
from rancherctl.kube.client import CONFIGMAPS, Json

INVENTORY: Final = "dns-inventory"
_KEY: Final = "inventory"


class StoredInventory:
    """The inventory in the ConfigMap ``dns-inventory`` of the federation's namespace."""

    def __init__(self, api: ConfigMapApi) -> None:
        self._api = api
        self._stored: Json | None = None

    def load(self) -> Inventory:
        """Read it; an empty one if there is none."""
        try:
            self._stored = self._api.get(CONFIGMAPS, INVENTORY, namespace=FEDERATION_CONTROLLER)
        except NotFoundError:
            self._stored = None
            return Inventory()
        text = str((self._stored.get("data") or {}).get(_KEY, ""))
        try:
            return Inventory.from_json(text)
        except ValueError as error:
            raise RancherctlError(
                f"cannot read the ConfigMap {FEDERATION_CONTROLLER}/{INVENTORY}",
                why=str(error),
                hint="delete it: names are found again by their markers, if the zone may be transferred",
            ) from error

    def save(self, inventory: Inventory) -> None:
        """Write it, if it is still as it was read or written last."""
        data = {_KEY: inventory.to_json()}
        if self._stored is None:
            body: Json = {"metadata": {"name": INVENTORY, "namespace": FEDERATION_CONTROLLER}, "data": data}
            self._stored = self._api.create(CONFIGMAPS, body, namespace=FEDERATION_CONTROLLER)
        else:
            self._stored = self._api.replace(CONFIGMAPS, {**self._stored, "data": data})
