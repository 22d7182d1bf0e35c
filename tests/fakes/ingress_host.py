"""One host with its load-balancer role: a real HAProxy on loopback, and pods by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.model import NO_PROXIES, Listener, Proxies
from rancherctl.ingress.options import AccessLog
from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.ingress.role.reload_pacing import ReloadPauses
from rancherctl.ingress.translate.certificates import NO_POLICY, TlsPolicy
from tests.fakes import ingress as fake

AT_ONCE = ReloadPauses(0.0, 0.0)


class LoadBalancerHost:
    """A host. ``now`` is the role's clock, in seconds."""

    def __init__(self, haproxy: fake.Haproxy, name: str = "h1") -> None:
        self.haproxy, self.name = haproxy, name
        self.pods: dict[str, fake.Pod] = {}
        self.now = 0.0
        self.role = self.new_role()

    def new_role(
        self,
        listeners: tuple[Listener, ...] = (),
        proxies: Proxies = NO_PROXIES,
        tls: TlsPolicy = NO_POLICY,
        access_log: AccessLog = "errors",
        reloads: ReloadPauses = AT_ONCE,
        save_after: float = 0.0,
    ) -> LbRole:
        """Restart the agent; it reads what is on disk."""
        config = LbConfig(
            self.name,
            listeners or self.haproxy.listeners,
            paths=self.haproxy.paths,
            proxies=proxies,
            tls=tls,
            access_log=access_log,
            reloads=reloads,
            save_after=save_after,
        )
        self.role = LbRole(config, driver=self.haproxy.driver(), clock=lambda: self.now)
        return self.role

    @property
    def driver(self) -> Driver:
        return self.role.driver

    def pod(self, name: str) -> fake.Pod:
        return self.pods.get(name) or self.pods.setdefault(name, fake.Pod(name))

    def slices(self, services: Mapping[str, Iterable[str]]) -> list[Any]:
        """A slice for each pod; ``services`` maps each Service to its pods."""
        return [fake.endpoint_slice(name, [self.pod(p).endpoint]) for name, pods in services.items() for p in pods]

    def reload(self) -> None:
        self.role.health.reload("test")

    def reconcile(self, ingresses: Iterable[Any], services: Mapping[str, Iterable[str]], **kwargs: Any) -> Any:
        """Reconcile a second later; returns the section of the host's report."""
        self.now += 1
        snapshot = fake.snapshot(ingresses, [fake.service(s) for s in services], self.slices(services), **kwargs)
        return self.role.reconcile(snapshot)

    def close(self) -> None:
        self.haproxy.stop()
        for pod in self.pods.values():
            pod.close()
