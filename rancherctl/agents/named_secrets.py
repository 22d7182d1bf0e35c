"""NamedSecrets: secrets that Ingresses name for other purposes than TLS, read one by one.

A watch of all Opaque secrets would bring every tenant's passwords into this process. So each secret is watched by its
name, or asked for if there are too many.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, Protocol

from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.ingress.purposes import named_secret
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.client import SECRETS, Json, Resource
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.reflector import Reflector, Source
from rancherctl.kube.snapshot import Table
from rancherctl.kube.tables import TableSpec
from rancherctl.kube.views import Secret
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
MAX_WATCHES: Final = 200
ASK_SECONDS: Final = 5.0
"""Pause between two rounds of questions for the secrets that are not watched."""


class SecretSource(Source, Protocol):
    """What is needed of a client."""

    def get(self, resource: Resource, name: str, *, namespace: str = "", timeout: float = 10.0) -> Json: ...


class Watch(Protocol):
    """A watch of one secret."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


Published = Callable[[Table[Secret]], None]


class NamedSecrets:
    """Reads the secrets given to ``follow``. ``changed`` is called, from another thread, when one has changed."""

    def __init__(
        self,
        source: SecretSource,
        changed: Callable[[], None],
        watch: Callable[[str, Published], Watch] | None = None,
        limit: int = MAX_WATCHES,
    ) -> None:
        self._source, self._changed, self._limit = source, changed, limit
        self._watch = watch or self._reflected
        self._lock = threading.Lock()
        self._known: Mapping[str, Secret | None] = {}
        self._watches: dict[str, Watch] = {}
        self._asked: tuple[str, ...] = ()
        self._random = random.Random()  # noqa: S311  # spreads load, protects nothing
        self._backoff = Backoff(self._random)
        self._worker: Worker | None = None

    def follow(self, wanted: Collection[str]) -> Mapping[str, Secret | None]:
        """Read exactly these secrets (``namespace/name``) from now on.

        Returns what is known of them, None for one that does not exist; one that could not be read yet is left out. The
        result stays the same object until something changes.
        """
        stopped = [self._watches.pop(key) for key in [k for k in self._watches if k not in wanted]]
        free = self._limit - len(self._watches)
        others = sorted(key for key in wanted if key not in self._watches)
        with self._lock:
            if gone := self._known.keys() - wanted:
                self._known = {key: secret for key, secret in self._known.items() if key not in gone}
            known, self._asked = self._known, tuple(others[free:])
        for watch in stopped:
            watch.stop()
        for key in others[:free]:
            self._watches[key] = watch = self._watch(key, partial(self._publish, key))
            watch.start()
        self._ask_if_needed()
        return known

    def _ask_if_needed(self) -> None:
        if self._asked and self._worker is None:
            self._worker = Worker("reader of secrets", self.ask, retry=self._backoff.after)
            self._worker.start()
        elif not self._asked and self._worker is not None:
            self._worker.stop(None)
            self._worker = None

    def ask(self) -> float:
        """Ask for all secrets that are not watched; returns the seconds until the next time."""
        failed: list[RancherctlError] = []
        for key in self._asked:
            namespace, _, name = key.partition("/")
            try:
                self._note(key, named_secret(self._source.get(SECRETS, name, namespace=namespace)))
            except NotFoundError:
                self._note(key, None)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                failed.append(error)
        if failed:
            raise failed[0]
        self._backoff.reset()
        return ASK_SECONDS

    def _publish(self, key: str, table: Table[Secret]) -> None:
        if table.synced:
            self._note(key, table.items.get(key))

    def _note(self, key: str, secret: Secret | None) -> None:
        with self._lock:
            if key not in self._watches and key not in self._asked:
                return
            if key in self._known and _version(self._known[key]) == _version(secret):
                return
            self._known = {**self._known, key: secret}
        self._changed()

    def _reflected(self, key: str, publish: Published) -> Watch:
        namespace, _, name = key.partition("/")
        spec = TableSpec(f"secret {key}", SECRETS, named_secret, namespace, field_selector=f"metadata.name={name}")
        return _Reflected(Reflector(self._source, spec, publish, choose=self._random))


def _version(secret: Secret | None) -> Any:
    return secret and (secret.meta.uid, secret.meta.resource_version)


class _Reflected:
    """A reflector with its thread."""

    def __init__(self, reflector: Reflector) -> None:
        self._reflector = reflector
        self._thread = threading.Thread(target=reflector.run, name=reflector.spec.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._reflector.stop()
