"""Fenced: a client that checks leadership before each write. All controllers write through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rancherctl.kube.client import Json, KubeClient, Resource


class Fenced:
    """KubeClient's ``get`` and its writes; ``check`` raises NotLeaderError if this process does not lead."""

    def __init__(self, client: KubeClient, check: Callable[[], object]) -> None:
        self._client, self._check = client, check

    def get(self, resource: Resource, name: str, *, namespace: str = "", timeout: float = 10.0) -> Json:
        """Read one object; needs no leadership."""
        return self._client.get(resource, name, namespace=namespace, timeout=timeout)

    def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        name: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Create, as leader."""
        self._check()
        return self._client.create(
            resource, body, namespace=namespace, subresource=subresource, name=name, timeout=timeout
        )

    def replace(self, resource: Resource, body: Json, *, subresource: str = "", timeout: float = 10.0) -> Json:
        """Replace, as leader."""
        self._check()
        return self._client.replace(resource, body, subresource=subresource, timeout=timeout)

    def apply(
        self,
        resource: Resource,
        body: Json,
        *,
        manager: str,
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Server-side apply, as leader."""
        self._check()
        return self._client.apply(resource, body, manager=manager, subresource=subresource, timeout=timeout)

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Patch, as leader."""
        self._check()
        return self._client.patch(resource, name, body, namespace=namespace, subresource=subresource, timeout=timeout)

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Delete, as leader."""
        self._check()
        self._client.delete(resource, name, namespace=namespace, options=options, timeout=timeout)
