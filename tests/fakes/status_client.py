"""An API client that records the statuses written through it."""

from __future__ import annotations

from typing import Any

from rancherctl.kube.client import Resource


class StatusClient:
    """Records patches as (resource, key, body, subresource), or raises ``error``."""

    def __init__(self, error: Exception | None = None) -> None:
        self.patches: list[tuple[Resource, str, dict[str, Any], str]] = []
        self.error = error

    def patch(
        self,
        resource: Resource,
        name: str,
        body: dict[str, Any],
        *,
        namespace: str = "",
        subresource: str = "",
        timeout: float = 10.0,
    ) -> dict[str, Any]:
        """See kube.client.KubeClient."""
        if self.error:
            raise self.error
        self.patches.append((resource, f"{namespace}/{name}", body, subresource))
        return {}
