"""The provider of a federation as its settings and its Secret say; a key that was replaced is read again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import AuthError, NotFoundError
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.ownership import NameState, ZoneView
from rancherctl.federation.providers.base import (
    Capabilities,
    DnsProvider,
    Fence,
    NameChange,
    Outcome,
    Result,
    ZoneInfo,
)
from rancherctl.federation.providers.memory import MemoryProvider, MemoryZones
from rancherctl.federation.providers.rfc2136 import Rfc2136Provider
from rancherctl.federation.providers.tsig import DNS_SECRET, TsigKey, key_of
from rancherctl.kube.client import SECRETS, Json

T = TypeVar("T")


class ConfiguredProvider:
    """Satisfies ``base.DnsProvider``. ``secret`` reads the Secret; it is called at the first use and after refusals."""

    def __init__(self, settings: FederationSettings, secret: Callable[[], Json], *, gate: Callable[[], object]) -> None:
        self.name, self.zone = settings.provider, f"{settings.zone}."
        self._settings, self._secret, self._gate = settings, secret, gate
        self._provider: DnsProvider | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Those of the provider, as far as they are known."""
        return self._provider.capabilities if self._provider is not None else Capabilities()

    def info(self) -> ZoneInfo:
        """See ``base.DnsProvider``; so do the others."""
        return self._call(lambda provider: provider.info())

    def read(self, fence: str, names: Collection[str]) -> ZoneView:
        return self._call(lambda provider: provider.read(fence, names))

    def look(self, names: Collection[str]) -> Mapping[str, NameState]:
        return self._call(lambda provider: provider.look(names))

    def claim(self, name: str, seen: tuple[str, ...], text: str) -> Result:
        return self._written(self._call(lambda provider: provider.claim(name, seen, text)))

    def apply(self, changes: Sequence[NameChange], fence: Fence) -> Mapping[str, Result]:
        results = self._call(lambda provider: provider.apply(changes, fence))
        for result in results.values():
            self._written(result)
        return results

    def _written(self, result: Result) -> Result:
        if result.outcome is Outcome.REFUSED and not result.stale:
            self._provider = None
        return result

    def _call(self, act: Callable[[DnsProvider], T]) -> T:
        if self._provider is None:
            self._provider = self._build()
        try:
            return act(self._provider)
        except AuthError:
            self._provider = None
            raise

    def _build(self) -> DnsProvider:
        settings = self._settings
        if settings.provider == "memory":
            return MemoryProvider(MemoryZones(settings.zone), settings.zone)
        try:
            key: TsigKey | None = key_of(self._secret())
        except NotFoundError:
            key = None  # servers may allow updates by address
        return Rfc2136Provider(
            settings.zone, settings.servers, key, transfer_servers=settings.transfer_servers, gate=self._gate
        )


def secret_reader(get: Callable[..., Json]) -> Callable[[], Json]:
    """Read the Secret through a client's ``get``."""
    return lambda: get(SECRETS, DNS_SECRET, namespace=FEDERATION_CONTROLLER)
