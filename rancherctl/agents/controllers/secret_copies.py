"""SecretCopiesController: keep copies of secrets in the namespaces of the hosts that serve with them."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from rancherctl.agents.controllers.ingress_inputs import IngressInputs
from rancherctl.agents.due import Due
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.change import Change, Plan
from rancherctl.contract import CONTENT_ANNOTATION
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.hold import Hold, is_mass_loss
from rancherctl.ingress import copies
from rancherctl.ingress.copies import Contents
from rancherctl.ingress.model import Translated
from rancherctl.ingress.purposes import is_tls, parse_key
from rancherctl.ingress.translate.latest import Latest
from rancherctl.ingress.translate.tls import TlsClaims
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import SECRETS
from rancherctl.kube.decode import acyclic
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import ConfigMap, Meta, Secret, TlsSecret
from rancherctl.kube.snapshot import Snapshot
from rancherctl.placement.place import Placement
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


class Reader(Protocol):
    """Reads secrets by name (named_secrets.NamedSecrets)."""

    def follow(self, wanted: Collection[str]) -> Mapping[str, Secret | None]: ...


class SecretCopiesController:
    """Writes copies while this process leads. ``default`` is the secret of the default certificate, "" = none.

    ``named`` reads the secrets for other purposes than TLS; without it, their copies stay as they are.
    """

    spec = controllers.SECRET_COPIES

    def __init__(
        self,
        client: Fenced,
        leader: Leader,
        clock: Callable[[], float],
        default: str = "",
        inputs: IngressInputs | None = None,
        named: Reader | None = None,
    ) -> None:
        self._client, self._leader, self._clock, self._default = client, leader, clock, default
        self._inputs, self._due, self._named = inputs or IngressInputs(), Due(TABLES), named
        self._needed: Mapping[str, Collection[str]] = {}
        self._names: frozenset[str] = frozenset()
        self._hosts_with = Latest(_hosts_with)
        self._contents = Contents()
        self._hold = Hold(LOSS_SECONDS)
        self._alarm = ""
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write a batch of the copies that differ; computes nothing while neither the tables nor time ask for it."""
        now = self._clock()
        if not (self._leader.leading and all(snapshot.table(t).synced for t in TABLES)):
            if self._named:
                self._named.follow(())
            return
        tables = self._due.items(snapshot)
        if not self._due.now((*tables, self._read()), now):
            return
        ingresses, classes, maps, secrets, stored = tables
        with acyclic():
            translated = self._inputs.cache.translate_all(ingresses, classes)
            self._needed = self._hosts_need(translated, maps)
            self._names = frozenset(source for _, source in self._purposes())
            named = self._read()
            sources: dict[str, TlsSecret | Secret] = dict(secrets)
            sources |= {key: secret for key, source in self._purposes() if (secret := named.get(source))}
            have, plan = self._plan(sources, named, stored)
        todo = list(self._without_mass_loss(plan, have, sources, now))
        self._backoffs.keep({c.key for c in todo})
        versions = {c.key: _version(c, have) for c in todo}
        ready = [c for c in todo if self._backoffs.open(c.key, now, versions[c.key])]
        self._write(ready[:WRITES_PER_CALL], have, sources, versions, now)
        waits = [w for w in (self._backoffs.wake(now), self._hold.remaining(now)) if w is not None]
        after = now if len(ready) > WRITES_PER_CALL else now + min(waits) if waits else None
        self._due.done((*tables, named), after)

    def _read(self) -> Mapping[str, Secret | None]:
        """What is known of the secrets for other purposes than TLS, by ``namespace/name``."""
        return self._named.follow(self._names) if self._named else {}

    def _purposes(self) -> Iterable[tuple[str, str]]:
        """Key and source of each secret that is needed for another purpose than TLS."""
        keys = {key for needed in self._needed.values() for key in needed if not is_tls(key)}
        return [(key, parse_key(key)[1]) for key in keys]

    def _hosts_need(
        self, translated: Mapping[str, Translated], maps: Mapping[str, ConfigMap]
    ) -> Mapping[str, Collection[str]]:
        """Keys of the secrets that each host may have."""
        cache, roster, reports = self._inputs.cache, self._inputs.roster.read(maps), self._inputs.reports.by_host(maps)
        names = [h.name for h in roster.hosts if h.lb]
        if not any(t.tls for t in translated.values()) and not self._default:
            return dict.fromkeys(names, ())
        placed = {host: report.placed for host, report in reports.items()}
        placements = cache.place_all(translated, roster)
        return self._hosts_with(translated, placements, cache.claim_names(translated), placed, names, self._default)

    def _plan(
        self, sources: Mapping[str, TlsSecret | Secret], named: Mapping[str, Secret | None], stored: Mapping[str, Meta]
    ) -> tuple[dict[tuple[str, str], Meta], Plan[str]]:
        have = copies.stored_copies(stored, self._needed)
        tls = self._inputs.contents.of({key: s for key, s in sources.items() if isinstance(s, TlsSecret)})
        others = self._contents.of({key: s for key, s in sources.items() if isinstance(s, Secret)})
        self._inputs.purposes = others
        wanted = copies.copies_by_host(self._needed, tls | others)
        for (host, key), meta in have.items():  # unknown is not absent: a copy of what was not read yet stays
            if not is_tls(key) and parse_key(key)[1] not in named and key in self._needed.get(host, ()):
                wanted[host, key] = meta.annotations.get(CONTENT_ANNOTATION, "")
        return have, copies.plan_copies(wanted, have)

    def _without_mass_loss(
        self, plan: Plan[str], have: Collection[object], sources: Mapping[str, object], now: float
    ) -> Iterable[Change[str]]:
        """The changes to make: not the deletions, while many secrets have vanished at once."""
        lost = [c for c in plan if c.new is None and self._vanished(c.key, sources)]
        held = self._hold.active(is_mass_loss(len(lost), len(have), floor=LOSS_FLOOR), now)
        alarm = f"{len(lost)} of {plural(len(have), 'copied secret')} vanished at once: hosts keep them" if held else ""
        if alarm != self._alarm:
            log.error("%s", alarm or "the secrets that had vanished are there again, or their copies are deleted now")
        self._alarm = alarm
        return [c for c in plan if c not in lost] if held else plan

    def _vanished(self, change: str, sources: Mapping[str, object]) -> bool:
        """Whether a copy goes because its secret does, not because its host needs it no more."""
        host, _, key = change.partition(" ")
        return key not in sources and (is_tls(key) or key in self._needed.get(host, ()))

    @property
    def alarms(self) -> tuple[str, ...]:
        """What operators must know; ``env status`` shows it."""
        return (self._alarm,) if self._alarm else ()

    def _write(
        self,
        batch: list[Change[str]],
        have: Mapping[tuple[str, str], Meta],
        sources: Mapping[str, TlsSecret | Secret],
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
                self._write_one(change, have, sources)
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
        self,
        change: Change[str],
        have: Mapping[tuple[str, str], Meta],
        sources: Mapping[str, TlsSecret | Secret],
    ) -> None:
        host, _, key = change.key.partition(" ")
        old = have.get((host, key))
        if change.new is None:
            assert old is not None
            options = {"preconditions": {"uid": old.uid, "resourceVersion": old.resource_version}}
            try:
                self._client.delete(SECRETS, old.name, namespace=old.namespace, options=options, timeout=WRITE_TIMEOUT)
            except NotFoundError:
                log.debug("%s was deleted by somebody else", old.key)
            return
        body = copies.copy_object(host, key, sources[key])
        if old is None:
            self._client.create(SECRETS, body, namespace=body["metadata"]["namespace"], timeout=WRITE_TIMEOUT)
        else:
            body["metadata"]["resourceVersion"] = old.resource_version
            self._client.replace(SECRETS, body, timeout=WRITE_TIMEOUT)


def _hosts_with(
    translated: Mapping[str, Translated],
    placements: Mapping[str, Placement],
    claims: TlsClaims,
    placed: Mapping[str, Collection[str]],
    names: Collection[str],
    default: str,
) -> Mapping[str, Collection[str]]:
    """Keys of the secrets of each host; ``placed`` is what hosts report, ``names`` are those of load balancers."""
    hosts = {name: set[str]() for name in names}
    for key, placement in placements.items():
        for host in placement.hosts:
            hosts.setdefault(host, set()).add(key)
    for host, keys in hosts.items():  # an Ingress that leaves a host is served there a little longer
        keys.update(placed.get(host, ()))
    return copies.secrets_by_host(translated, claims, hosts, default)


def _version(change: Change[str], have: Mapping[tuple[str, str], Meta]) -> str:
    """What makes another attempt sensible: the stored copy, or the content to write, is another one."""
    host, _, key = change.key.partition(" ")
    old = have.get((host, key))
    return f"{old.resource_version if old else ''} {change.new}"
