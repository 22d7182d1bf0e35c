"""A host with a load balancer that answers over TLS, and its Ingresses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.ingress_host import LoadBalancerHost

REFUSED = "TLSV1_UNRECOGNIZED_NAME"


def site(name: str, secret: str, *, service: str = "web", created: str = "2026-01-01T00:00:00Z", **more: Any) -> Any:
    """An Ingress for one host name with a TLS secret; ``entries`` of tls may replace that."""
    rules = [(name, "Prefix", "/", f"{service}:80")]
    entries = more.pop("entries", [(secret, [name])])
    return fake.ingress(f"i-{name.replace('*', 'any')}", rules, tls=entries, created=created, **more)


class TlsHost(LoadBalancerHost):
    """A load balancer with HTTPS. ``follow`` reconciles with these Ingresses and copies of secrets."""

    authority = tls.Authority()

    def start(self, policy: TlsPolicy | None = None) -> None:
        self.new_role(self.haproxy.all_listeners, tls=policy or TlsPolicy())

    def follow(self, ingresses: Iterable[Any], copies: Iterable[Any] | None, seconds: float = 1.0) -> Any:
        self.now += seconds - 1
        listed = None if copies is None else list(copies)
        return self.reconcile(ingresses, {"web": ["w1"], "other": ["o1"]}, copies=listed)

    @property
    def port(self) -> int:
        return self.haproxy.https_port

    def serial(self, name: str | None) -> int | str:
        return tls.serial(self.port, name)

    def answer(self, name: str | None, host: str | None = None) -> str:
        return tls.answer(self.port, name, host=host)

    def files(self) -> set[str]:
        folder = Path(self.haproxy.paths.certificates)
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    @property
    def reloads(self) -> int:
        return self.driver.counters.reloads


def reasons(section: Any, key: str) -> list[str]:
    return [problem[0] for problem in section["problems"].get(key, [])]
