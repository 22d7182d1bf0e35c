"""Keep one table equal to the API server's: list, watch, apply; list again if the watch cannot continue. One thread."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from rancherctl.errors import RancherctlError
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.client import GoneError, ListPage, Resource, ServerError, WatchEvent
from rancherctl.kube.http.stream import WatchStream
from rancherctl.kube.snapshot import Table
from rancherctl.kube.tables import TableSpec

log = logging.getLogger(__name__)

LIST_SECONDS = 120.0
"""For all pages together: a loaded host with ten thousand pods must get through in the end."""
SILENCE_SECONDS = 70.0
"""Bookmarks come about every 60 s: a watch without a byte for longer is dead."""
GOOD_WATCH_SECONDS = 5.0
"""A watch that lived this long proves that the server is well; a shorter one may be part of a storm of 410s."""
OLDER_REFUSED_SECONDS = 300.0
"""Lists older than what was seen are refused for this long: a stale member catches up in seconds. Later, etcd was
restored
from a backup, and to refuse for ever would freeze the host; consumers guard against mass deletes by themselves."""


class Source(Protocol):
    """What a reflector needs of a client; RestClient has it."""

    def pages(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 30.0,
    ) -> Iterator[ListPage]:
        """The list in pages."""

    def watch_batches(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 70.0,
    ) -> WatchStream:
        """An open watch."""


class Reflector:
    """``run`` until ``stop``. ``publish`` gets each new Table, from ``run``'s thread; ``clock``: monotonic seconds."""

    def __init__(
        self,
        source: Source,
        spec: TableSpec,
        publish: Callable[[Table[Any]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        choose: random.Random,
    ) -> None:
        self.spec = spec
        self.problems: dict[str, str] = {}
        self._source, self._publish, self._clock = source, publish, clock
        self._backoff = Backoff(choose)
        self._table: Table[Any] = Table()
        self._stream: WatchStream | None = None
        self._stopping = threading.Event()
        self._again = threading.Event()
        self._older_since: float | None = None

    def run(self) -> None:
        """List and watch until stopped; never raises for what a server or a network may do."""
        listed = False
        while not self._stopping.is_set():
            try:
                if self._again.is_set():
                    self._again.clear()
                    listed = False
                if not listed:
                    self._list()
                    listed = True
                self._watch()
                wait = 0.0
            except RancherctlError as e:
                if self._stopping.is_set():
                    return
                if self._again.is_set():
                    continue
                listed = listed and not isinstance(e, (GoneError, OlderError))
                wait = self._failed(e)
            except Exception as e:  # a thread that dies silently would freeze a table for ever
                log.exception("%s: unexpected failure, listing again", self.spec.name)
                listed = False
                wait = self._failed(e)
            self._stopping.wait(wait)

    def stop(self) -> None:
        """Make ``run`` return soon; from any thread."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def relist(self) -> None:
        """List again now, for a consumer that doubts its data; ``epoch`` shows when it is done. From any thread."""
        self._again.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def _failed(self, e: Exception) -> float:
        wait = self._backoff.after(e)
        level = logging.INFO if isinstance(e, GoneError) else logging.WARNING
        log.log(level, "%s: %s; next try in %.1f s", self.spec.name, describe(e), wait)
        if self._table.healthy:
            self._set(replace(self._table, healthy=False))
        return wait

    def _set(self, table: Table[Any]) -> None:
        self._table = table
        self._publish(table)

    def _list(self) -> None:
        spec, old = self.spec, self._table
        items: dict[str, Any] = {}
        version = ""
        self.problems = {}
        for page in self._source.pages(
            spec.resource,
            namespace=spec.namespace,
            label_selector=spec.label_selector,
            field_selector=spec.field_selector,
            timeout=LIST_SECONDS,
        ):
            if page.restarted:
                items.clear()
            for obj in page.items:
                self._put(items, obj, old.items)
            version = page.resource_version
        self._refuse_older(version)
        self._set(Table(items, synced=True, healthy=False, resource_version=version, epoch=old.epoch + 1))

    def _refuse_older(self, version: str) -> None:
        if not is_older(version, self._table.resource_version):
            self._older_since = None
            return
        now = self._clock()
        self._older_since = now if self._older_since is None else self._older_since
        if now - self._older_since < OLDER_REFUSED_SECONDS:
            raise OlderError(
                f"{self.spec.name}: the API server answered with an older state",
                why=f"{version} < {self._table.resource_version}",
            )
        log.error(
            "%s: the API server's state stays older (%s < %s): taken as restored",
            self.spec.name,
            version,
            self._table.resource_version,
        )
        self._older_since = None

    def _watch(self) -> None:
        spec = self.spec
        started = self._clock()
        stream = self._source.watch_batches(
            spec.resource,
            namespace=spec.namespace,
            resource_version=self._table.resource_version,
            label_selector=spec.label_selector,
            field_selector=spec.field_selector,
            timeout=SILENCE_SECONDS,
        )
        self._stream = stream
        if self._stopping.is_set() or self._again.is_set():
            stream.close()
        if not self._table.healthy:
            self._set(replace(self._table, healthy=True))
        try:
            for batch in stream:
                self._apply(batch)
        finally:
            self._stream = None
            good = self._clock() - started >= GOOD_WATCH_SECONDS
            if good:
                self._backoff.reset()
        if not good and not self._stopping.is_set() and not self._again.is_set():
            raise ServerError(f"{spec.name}: the API server ended the watch at once")

    def _apply(self, batch: tuple[WatchEvent, ...]) -> None:
        table = self._table
        changes = [e for e in batch if e.type != "BOOKMARK"]
        items = dict(table.items) if changes else table.items
        version = table.resource_version
        for event in batch:
            meta = event.object.get("metadata") or {}
            now = str(meta.get("resourceVersion", ""))
            if is_older(now, version):
                raise OlderError(f"{self.spec.name}: the watch went back in time", why=f"{now} < {version}")
            version = now or version
            if event.type == "DELETED":
                key = object_key(event.object)
                items.pop(key, None)  # type: ignore[attr-defined]  # a dict whenever there are changes
                self.problems.pop(key, None)
            elif event.type != "BOOKMARK":
                self._put(items, event.object, {})  # type: ignore[arg-type]
        if changes:
            self._set(replace(table, items=items, resource_version=version))
        else:
            self._table = replace(
                table, resource_version=version
            )  # not published: nothing that anybody reads has changed

    def _put(self, items: dict[str, Any], obj: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Parse into ``items``; unchanged objects keep their identity; unparsable ones are left out, with a problem."""
        key = object_key(obj)
        old = known.get(key)
        version = (obj.get("metadata") or {}).get("resourceVersion", "")
        if old is not None and version and getattr(getattr(old, "meta", None), "resource_version", "") == version:
            items[key] = old
            return
        try:
            items[key] = self.spec.parse(obj)
            self.problems.pop(key, None)
        except Exception as e:  # one odd object must not stop the others
            items.pop(key, None)
            self.problems[key] = describe(e)
            log.exception("%s: %s cannot be read", self.spec.name, key)


class OlderError(RancherctlError):
    """The server's state is older than what was already seen."""

    retryable = True


def is_older(version: str, than: str) -> bool:
    """Whether a resource version is older (versions of one resource compare, KEP-5504); False if not numbers."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def object_key(obj: Mapping[str, Any]) -> str:
    """``namespace/name``, or ``name`` for cluster-wide kinds."""
    meta = obj.get("metadata") or {}
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    return f"{namespace}/{name}" if namespace else str(name)
