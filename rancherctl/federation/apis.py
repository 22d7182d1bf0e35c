"""What the parts of a federation need of API clients, each said once.

``kube.rest.RestClient`` has all of it; ``agents.fence.Fenced``, which checks leadership before each write, has HubApi.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rancherctl.kube.client import Json, Resource
from rancherctl.kube.reflector import Source


class ConfigMapApi(Protocol):
    """To keep something in ConfigMaps."""

    def get(self, resource: Resource, name: str, *, namespace: str = "") -> Json: ...
    def create(self, resource: Resource, body: Json, *, namespace: str = "", timeout: float = 10.0) -> Json: ...
    def replace(self, resource: Resource, body: Json) -> Json: ...


class HubApi(ConfigMapApi, Protocol):
    """The federation's own API with the leader's gate."""

    def patch(self, resource: Resource, name: str, body: Json, *, namespace: str = "") -> Json: ...
    def apply(self, resource: Resource, body: Json, *, manager: str, subresource: str = "") -> Json: ...


class CopyApi(HubApi, Protocol):
    """A member's API, for copies: ``manager`` is the field manager, ``strict`` refuses fields that it does not know."""

    def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        manager: str = "",
        strict: bool = False,
        timeout: float = 10.0,
    ) -> Json: ...
    def replace(self, resource: Resource, body: Json, *, manager: str = "") -> Json: ...
    def delete(
        self, resource: Resource, name: str, *, namespace: str = "", options: Mapping[str, Any] | None = None
    ) -> None: ...


class MemberApi(CopyApi, Source, Protocol):
    """A member's API: copies, ConfigMaps, and watches."""
