"""MemberLinks: connection, worker and vantage point of each member that has a credential. For one thread."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.federation import tokens
from rancherctl.federation.apis import HubApi
from rancherctl.federation.cluster import CLUSTERS, Cluster, Connection
from rancherctl.federation.connection import Credential, MemberConnection
from rancherctl.federation.hub_options import HubOptions
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.probe_results import Result
from rancherctl.federation.vantage_link import VantageLink
from rancherctl.federation.worker import MemberWorker
from rancherctl.kube.client import SECRETS
from rancherctl.kube.objects import Secret

log = logging.getLogger(__name__)


@dataclass(slots=True)
class MemberLink:
    """A member that the federation is connected to; ``identity`` is what a new connection is made for."""

    identity: tuple[Any, ...]
    connection: MemberConnection
    worker: MemberWorker
    vantage: VantageLink
    server: int = 0
    synced: str = ""
    """The last value of the annotation SYNC_ANNOTATION that was carried out."""

    def start(self) -> None:
        """Begin to connect, to write copies and to probe."""
        self.connection.start()
        self.worker.start()
        self.vantage.start()

    def stop(self) -> None:
        """End all threads."""
        # The streams are closed first, so that the threads that wait for them end at once.
        self.connection.stop()
        self.vantage.stop()
        self.worker.stop(1.0)


class MemberLinks:
    """``by_name`` are the links that there are. ``changed`` is called when something is known of a member.

    ``report`` gets each new report of a member's vantage point, from another thread.
    """

    def __init__(
        self,
        api: HubApi,
        settings: FederationSettings,
        options: HubOptions,
        *,
        changed: Callable[[], None],
        report: Callable[[str, Mapping[str, Result]], None],
    ) -> None:
        self._api, self._settings, self._options = api, settings, options
        self._changed, self._report = changed, report
        self.by_name: dict[str, MemberLink] = {}

    def update(self, found: Mapping[str, Cluster], secrets: Mapping[str, Secret]) -> None:
        """Begin and end connections, so that there is one for each member with a credential.

        ``secrets``: by ``namespace/name``.
        """
        credentials = {
            name: _credential(secrets.get(f"{FEDERATION_CONTROLLER}/{c.secret}")) for name, c in found.items()
        }
        for name, link in list(self.by_name.items()):
            if name not in found or _outdated(link, found[name], credentials[name]):
                self._stop(name)
        for name, member in found.items():
            credential = credentials[name]
            if name not in self.by_name and credential is not None and member.servers:
                self._start(member, credential, 0)
            elif name in self.by_name:
                self._next_server(self.by_name[name], member)

    def stop(self) -> None:
        """End all connections."""
        for name in list(self.by_name):
            self._stop(name)

    def _next_server(self, link: MemberLink, member: Cluster) -> None:
        """Try the next address of a member whose API does not answer at this one."""
        if link.connection.state.next_server and len(member.servers) > 1:
            connection = link.connection
            self._stop(member.meta.name)
            self._start(member, connection.credential, link.server + 1, replace(connection.state, next_server=False))

    def _start(self, member: Cluster, credential: Credential, server: int, state: Connection | None = None) -> None:
        """Connect; ``state`` is what is known from another server of the member."""
        settings, options, name = self._settings, self._options, member.meta.name
        connection = MemberConnection(
            member,
            settings.name,
            credential,
            gate=options.gate,
            changed=self._changed,
            renewed=lambda token: self._store_token(member.secret, token),
            trust=lambda pem: self._store_trust(member, pem),
            server=server,
            state=state,
            agent=options.agent,
            clock=options.clock,
        )
        worker = MemberWorker(
            name,
            (settings.name, settings.uid),
            connection.api,
            leading=options.leading,
            changed=self._changed,
            now=options.now,
            clock=options.clock,
        )
        vantage = VantageLink(settings.name, name, connection.api, lambda results: self._report(name, results))
        link = MemberLink(_identity(member, credential.session_uid), connection, worker, vantage, server, member.sync)
        self.by_name[name] = link
        link.start()
        log.info("member %s: connecting to %s", name, member.servers[server % len(member.servers)])

    def _stop(self, name: str) -> None:
        self.by_name.pop(name).stop()

    def _store_token(self, secret: str, token: str) -> None:
        self._api.patch(SECRETS, secret, {"stringData": {tokens.TOKEN_KEY: token}}, namespace=FEDERATION_CONTROLLER)

    def _store_trust(self, member: Cluster, pem: bytes) -> None:
        body = {"spec": {"caBundle": base64.b64encode(pem).decode()}}
        self._api.patch(CLUSTERS, member.meta.name, body)


def _outdated(link: MemberLink, member: Cluster, credential: Credential | None) -> bool:
    """Whether the connection was made for another address, trust or session."""
    if credential is None:
        return True
    refused = link.connection.state.credential
    replaced = bool(refused) and credential.renewer != link.connection.credential.renewer
    return replaced or link.identity != _identity(member, credential.session_uid)


def _identity(member: Cluster, session: str) -> tuple[Any, ...]:
    return member.meta.uid, member.servers, member.server_name, member.ca, session


def _credential(secret: Secret | None) -> Credential | None:
    """The credential in a member's Secret; None if it is not complete."""
    if secret is None:
        return None
    token, uid = (
        secret.data.get(key, b"").decode("utf-8", "replace") for key in (tokens.TOKEN_KEY, tokens.SESSION_UID_KEY)
    )
    return Credential(token, uid) if token and uid else None
