"""MemberConnection: the API of one member, with tokens that renew themselves, and the check of its identity.

Nothing is written to a cluster that is not the one that joined: its uid (of the namespace kube-system) is checked when
the connection begins, regularly, and after each outage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from rancherctl import bound_tokens, visits
from rancherctl.bound_tokens import Token
from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.federation import tokens
from rancherctl.federation.cluster import Cluster, Connection
from rancherctl.kube.backoff import describe
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, Json, UnauthorizedError
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.rest import RestClient
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
CHECK_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 2.0
TIMEOUT: Final = 5.0
UNANSWERED_CHECKS: Final = 2
"""So many checks in a row a server of a member may leave without an answer before the next one is tried."""
RENEW_SECONDS: Final = 24 * 3600.0
"""How old the renewer's token may be before it is replaced."""


class IdentityChangedError(RancherctlError):
    """Another cluster answers at the address of a member; nothing was written."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a member's Secret in the federation holds."""

    renewer: str
    session_uid: str


class MemberConnection:
    """One member. ``api`` is its client: usable from several threads, for reads at once, for writes after ``start``.

    ``gate`` stops writes when this process does not lead; ``changed`` is called when ``state`` changes; ``renewed``
    stores a new renewer token; ``trust`` stores new certificate authorities (PEM) of the member's API. ``state`` is
    what is known from a connection to another server of the member.
    """

    def __init__(
        self,
        member: Cluster,
        federation: str,
        credential: Credential,
        *,
        gate: Callable[[], object],
        changed: Callable[[], None],
        renewed: Callable[[str], None],
        trust: Callable[[bytes], None],
        server: int = 0,
        state: Connection | None = None,
        agent: str = FEDERATION_CONTROLLER,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.member, self.credential, self._federation = member, credential, federation
        self._gate, self._changed, self._renewed, self._trust = gate, changed, renewed, trust
        self._clock, self._now = clock, now
        url = member.servers[server % len(member.servers)]
        endpoint = ApiEndpoint(url, member.ca or None, server_name=member.server_name)
        self.api = RestClient(endpoint, token=self._token, agent=agent, gate=self._check_write)
        self._renewer = RestClient(endpoint, token=lambda: self._renewer_token, agent=agent)
        self._renewer_token = credential.renewer
        self._work: Token | None = None
        self._work_until = 0.0
        self._lock = threading.Lock()
        self._state = state or Connection(uid=str(member.status.get("uid", "")))
        self._verified = False
        self._unanswered = 0
        self._noted: float | None = None
        self._worker = Worker(f"connection to {member.meta.name}", self._check, retry=self._failed)

    @property
    def state(self) -> Connection:
        """What is known of the connection now."""
        return self._state

    def start(self) -> None:
        """Begin to check."""
        self._worker.start()

    def stop(self) -> None:
        """End the checks, watches and idle connections; returns soon."""
        self._worker.stop(0.5)
        self.api.close()
        self._renewer.close()

    def _token(self) -> str:
        """The work token, a new one when half of its life is over."""
        with self._lock:
            if self._work is None or self._clock() >= self._work_until:
                self._work = self._request(tokens.CONTROLLER, tokens.WORK_SECONDS)
                self._work_until = self._clock() + self._work.seconds / 2
            return str(self._work.value)

    def _request(self, account: str, seconds: int) -> Token:
        path, body = tokens.request(self._federation, account, seconds, self.credential.session_uid)
        try:
            return bound_tokens.parse(self._renewer.raw("POST", path, body=body, timeout=TIMEOUT), self._now())
        except ValueError as error:
            raise UnreachableError(f"{self.member.meta.name}: {error}") from error

    def _check_write(self) -> None:
        self._gate()
        if not self._verified:
            raise IdentityChangedError(
                f"{self.member.meta.name}: not written, because its identity is not verified", why=self._state.identity
            )

    def _check(self) -> float:
        """Verify identity and version, and keep the renewer's token young."""
        uid = str(self.api.get(NAMESPACES, "kube-system", timeout=TIMEOUT)["metadata"]["uid"])
        known = str(self.member.status.get("uid", "")) or self._state.uid
        same = not known or uid == known
        version = self._state.version or self._version()
        self._verified, self._unanswered = same, 0
        expires = bound_tokens.claim(self._renewer_token, "exp")
        self._set(
            Connection(
                uid=uid if same else known,
                version=version,
                checked=True,
                identity="" if same else uid,
                expires_in=None if expires is None else expires - self._now(),
            )
        )
        if same:
            self._renew()
            self._refresh_trust()
            self._note_visit()
        return CHECK_SECONDS

    def _version(self) -> str:
        import json

        return str(json.loads(self.api.raw("GET", "/version", timeout=TIMEOUT)).get("gitVersion", ""))

    def _renew(self) -> None:
        issued = bound_tokens.claim(self._renewer_token, "iat")
        if issued is None or self._now() - issued < RENEW_SECONDS:
            return
        try:
            fresh = self._request(tokens.RENEWER, tokens.RENEWER_SECONDS).value
        except RancherctlError as error:
            # It is valid until it expires, which is days away; that is reported, and the next check tries again.
            log.warning("the credential of member %s was not renewed: %s", self.member.meta.name, describe(error))
            return
        self._renewed(fresh)
        self._renewer_token = fresh
        log.info("renewed the credential of member %s", self.member.meta.name)

    def _refresh_trust(self) -> None:
        """Follow the member's certificate authority, as it publishes it itself."""
        namespace = tokens.member_namespace(self._federation)
        try:
            found = self.api.get(CONFIGMAPS, "kube-root-ca.crt", namespace=namespace, timeout=TIMEOUT)
        except NotFoundError:
            return  # not published yet: what is trusted stays
        pem = str((found.get("data") or {}).get("ca.crt", "")).strip().encode()
        if pem and pem not in self.member.ca:
            self._trust(pem + b"\n" + self.member.ca)

    def _note_visit(self) -> None:
        """Leave the time in the member, so that its own status shows a federation that no longer comes."""
        if self._noted is not None and self._clock() - self._noted < visits.NOTE_SECONDS:
            return
        namespace, now = tokens.member_namespace(self._federation), self._now()
        data = {visits.KEY: visits.text(now)}
        try:
            before = self._visit(namespace)
            if before is None:
                note: Json = {"metadata": {"name": visits.NOTE}, "data": data}
                self.api.create(CONFIGMAPS, note, namespace=namespace, timeout=TIMEOUT)
            elif abs(now - (visits.seconds(before) or 0.0)) >= visits.NOTE_SECONDS:
                self.api.patch(CONFIGMAPS, visits.NOTE, {"data": data}, namespace=namespace, timeout=TIMEOUT)
        except RancherctlError as error:
            log.info("the visit to member %s was not noted: %s", self.member.meta.name, describe(error))
            return
        self._noted = self._clock()

    def _visit(self, namespace: str) -> str | None:
        """When the federation was there last, as the member has it; None without a note."""
        try:
            stored = self.api.get(CONFIGMAPS, visits.NOTE, namespace=namespace, timeout=TIMEOUT)
        except NotFoundError:
            return None
        return str((stored.get("data") or {}).get(visits.KEY, ""))

    def _failed(self, error: Exception) -> float:
        # After an outage the identity is checked again before the next write.
        self._verified = False
        text, state = describe(error), self._state
        if isinstance(error, (UnauthorizedError, AuthError)):
            with self._lock:
                self._work = None
            self._unanswered = 0
            hint = f"{text}: rancherctl federation join {self._federation} --env {self.member.meta.name} --renew"
            self._set(replace(state, checked=True, error="", credential=hint, next_server=False))
        else:
            self._unanswered += 1
            self._set(replace(state, checked=True, error=text, next_server=self._unanswered >= UNANSWERED_CHECKS))
        return RETRY_SECONDS

    def _set(self, state: Connection) -> None:
        before, self._state = self._state, state
        if replace(before, expires_in=None) != replace(state, expires_in=None):
            self._changed()
