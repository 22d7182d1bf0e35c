"""SecretCopiesController: keep copies of TLS secrets in the namespaces of the hosts that serve with them."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from rancherctl.agents.backoffs import Backoffs
from rancherctl.agents.controllers.ingress_inputs import IngressInputs
from rancherctl.agents.due import Due
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.change import Change, Plan
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.hold import Hold, is_mass_loss
from rancherctl.ingress import copies
from rancherctl.ingress.model import Translated
from rancherctl.kube.client import SECRETS
from rancherctl.kube.decode import acyclic
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import ConfigMap, Meta, TlsSecret
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers
from rancherctl.text import plural

log = logging.getLogger(__name__)
TABLES: Final = ("ingresses", "ingressclasses", "configmaps", "tlssecrets", "copies")
WRITES_PER_CALL: Final = 200
PARALLEL_WRITES: Final = 8
WRITE_TIMEOUT: Final = 5.0
LOSS_FLOOR: Final = 3
"""So many secrets may vanish at once without a second look."""
LOSS_SECONDS: Final = 600.0
"""How long copies of secrets stay after many of these vanished at once: an API that lost data is repaired by then."""


class SecretCopiesController:
    """Writes copies while this process leads. ``default`` is the secret of the default certificate, "" = none."""

    spec = controllers.SECRET_COPIES

    def __init__(
        self,
        client: Fenced,
        leader: Leader,
        clock: Callable[[], float],
        default: str = "",
        inputs: IngressInputs | None = None,
    ) -> None:
        self._client, self._leader, self._clock, self._default = client, leader, clock, default
        self._inputs, self._due = inputs or IngressInputs(), Due(TABLES)
        self._hold = Hold(LOSS_SECONDS)
        self._alarm = ""
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write a batch of the copies that differ; computes nothing while neither the tables nor time ask for it."""
        now = self._clock()
        tables = self._due.items(snapshot)
        due = self._due.now(tables, now)
        if not (self._leader.leading and due and all(snapshot.table(t).synced for t in TABLES)):
            return
        ingresses, classes, maps, secrets, stored = tables
        with acyclic():
            translated = self._inputs.cache.translate_all(ingresses, classes)
            have, plan = self._plan(translated, maps, secrets, stored)
        todo = list(self._without_mass_loss(plan, have, secrets, now))
        self._backoffs.keep({c.key for c in todo})
        versions = {c.key: _version(c, have) for c in todo}
        ready = [c for c in todo if self._backoffs.open(c.key, now, versions[c.key])]
        self._write(ready[:WRITES_PER_CALL], have, secrets, versions, now)
        waits = [w for w in (self._backoffs.wake(now), self._hold.remaining(now)) if w is not None]
        self._due.done(tables, now if len(ready) > WRITES_PER_CALL else now + min(waits) if waits else None)

    def _plan(
        self,
        translated: Mapping[str, Translated],
        maps: Mapping[str, ConfigMap],
        secrets: Mapping[str, TlsSecret],
        stored: Mapping[str, Meta],
    ) -> tuple[dict[tuple[str, str], Meta], Plan[str]]:
        cache, roster, reports = self._inputs.cache, self._inputs.roster.read(maps), self._inputs.reports.by_host(maps)
        hosts = {h.name: set[str]() for h in roster.hosts if h.lb}
        have = copies.stored_copies(stored, hosts)
        contents = self._inputs.contents.of(secrets)
        if not any(t.tls for t in translated.values()) and not self._default:
            return have, copies.plan_copies({}, have)
        for key, placement in cache.place_all(translated, roster).items():
            for host in placement.hosts:
                hosts.setdefault(host, set()).add(key)
        for host, keys in hosts.items():  # an Ingress that leaves a host is served there a little longer
            keys.update(reports[host].placed if host in reports else ())
        wanted = copies.copies_by_host(translated, cache.claim_names(translated), hosts, contents, self._default)
        return have, copies.plan_copies(wanted, have)

    def _without_mass_loss(
        self, plan: Plan[str], have: Collection[object], secrets: Mapping[str, TlsSecret], now: float
    ) -> Iterable[Change[str]]:
        """The changes to make: not the deletions, while many secrets have vanished at once."""
        lost = [c for c in plan if c.new is None and c.key.partition(" ")[2] not in secrets]
        held = self._hold.active(is_mass_loss(len(lost), len(have), floor=LOSS_FLOOR), now)
        alarm = f"{len(lost)} of {plural(len(have), 'copied secret')} vanished at once: hosts keep them" if held else ""
        if alarm != self._alarm:
            log.error("%s", alarm or "the secrets that had vanished are there again, or their copies are deleted now")
        self._alarm = alarm
        return [c for c in plan if c not in lost] if held else plan

    @property
    def alarms(self) -> tuple[str, ...]:
        """What operators must know; ``env status`` shows it."""
        return (self._alarm,) if self._alarm else ()

    def _write(
        self,
        batch: list[Change[str]],
        have: Mapping[tuple[str, str], Meta],
        secrets: Mapping[str, TlsSecret],
        versions: Mapping[str, str],
        now: float,
    ) -> None:
        """Write these copies; one that fails waits alone. Raises an error that concerns every write."""
        stopped: list[RancherctlError] = []
        failed: dict[str, RancherctlError] = {}

        def write(change: Change[str]) -> None:
            if stopped:
                return
            try:
                self._write_one(change, have, secrets)
            except ConflictError:  # changed meanwhile: the watch delivers it, and the next call decides
                return
            except NotLeaderError as error:
                stopped.append(error)
            except RancherctlError as error:
                if concerns_one(error) or isinstance(error, NotFoundError):
                    failed[change.key] = error
                else:
                    stopped.append(error)

        with ThreadPoolExecutor(max_workers=min(PARALLEL_WRITES, len(batch)) or 1, thread_name_prefix="copies") as pool:
            list(pool.map(write, batch))
        for change in batch:
            if change.key in failed:
                self._backoffs.failed(change.key, now, failed[change.key])
            elif not stopped:
                self._backoffs.done(change.key, now, versions[change.key])
        if failed:
            key, why = min(failed.items())
            log.warning("cannot write %s, the first is %s: %s", plural(len(failed), "copied secret"), key, why)
        if stopped:
            raise stopped[0]

    def _write_one(
        self, change: Change[str], have: Mapping[tuple[str, str], Meta], secrets: Mapping[str, TlsSecret]
    ) -> None:
        host, _, source = change.key.partition(" ")
        old = have.get((host, source))
        if change.new is None:
            assert old is not None
            options = {"preconditions": {"uid": old.uid, "resourceVersion": old.resource_version}}
            try:
                self._client.delete(SECRETS, old.name, namespace=old.namespace, options=options, timeout=WRITE_TIMEOUT)
            except NotFoundError:
                log.debug("%s was deleted by somebody else", old.key)
            return
        body = copies.copy_object(host, source, secrets[source])
        if old is None:
            self._client.create(SECRETS, body, namespace=body["metadata"]["namespace"], timeout=WRITE_TIMEOUT)
        else:
            body["metadata"]["resourceVersion"] = old.resource_version
            self._client.replace(SECRETS, body, timeout=WRITE_TIMEOUT)


def _version(change: Change[str], have: Mapping[tuple[str, str], Meta]) -> str:
    """What makes another attempt sensible: the stored copy, or the content to write, is another one."""
    host, _, source = change.key.partition(" ")
    old = have.get((host, source))
    return f"{old.resource_version if old else ''} {change.new}"
