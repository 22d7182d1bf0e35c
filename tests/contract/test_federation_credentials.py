"""The credential of a member over time: renewal after days, expiry, a new certificate authority."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from rancherctl import visits
from rancherctl.federation.cluster import MemberStatus, cluster, conditions
from rancherctl.federation.conditions import Condition
from rancherctl.federation.connection import Credential, MemberConnection
from rancherctl.kube.client import SERVICES
from rancherctl.polling import poll_until
from tests.fakes.member_api import MemberApi, cluster_json

DAY = 24 * 3600
GIVE_UP = 60.0
OLD, NEW = b"-----OLD-----\n", "-----NEW-----\n"


def aged(days: int) -> str:
    """A renewer's token that was issued so many days ago, for 30."""
    issued = int(time.time()) - days * DAY
    claims = base64.urlsafe_b64encode(json.dumps({"iat": issued, "exp": issued + 30 * DAY}).encode())
    return f"h.{claims.rstrip(b'=').decode()}.s"


@dataclass
class Link:
    """A connection to a member, and what it has stored in the federation."""

    connection: MemberConnection
    renewed: list[str] = field(default_factory=list)
    trusted: list[bytes] = field(default_factory=list)

    def condition(self, kind: str) -> Condition:
        return next(c for c in conditions(MemberStatus(self.connection.state)) if c.type == kind)

    def until(self, answer: Callable[[], Any]) -> None:
        assert poll_until(answer, GIVE_UP), self.connection.state


@pytest.fixture
def api() -> Iterator[MemberApi]:
    with closing(MemberApi()) as found:
        yield found


@contextmanager
def linked(api: MemberApi, days: int) -> Iterator[Link]:
    """A connection with a renewer's token of this age."""
    found = cluster_json("m1", api.url, caBundle=base64.b64encode(OLD).decode())
    member = cluster({**found, "status": {"uid": "uid-m1"}})
    renewed, trusted = list[str](), list[bytes]()
    connection = MemberConnection(
        member,
        "acme",
        Credential(aged(days), "session"),
        gate=lambda: None,
        changed=lambda: None,
        renewed=renewed.append,
        trust=trusted.append,
    )
    connection.start()
    try:
        yield Link(connection, renewed, trusted)
    finally:
        connection.stop()


def create(link: Link, name: str) -> None:
    link.connection.api.create(SERVICES, {"metadata": {"name": name}, "spec": {}}, namespace="default")


def test_a_federation_that_was_off_for_days_renews_its_credential(api: MemberApi) -> None:
    """Case 34: its token is three days old; a new one is stored, and the member is used."""
    with linked(api, 3) as link:
        link.until(lambda: link.renewed)
        assert api.issued[:2] == ["controller", "renewer"]
        assert link.renewed[0] != link.connection.credential.renewer
        assert link.condition("CredentialValid") == Condition("CredentialValid", "True", "Valid")
        create(link, "web")


def test_a_young_credential_is_not_renewed(api: MemberApi) -> None:
    with linked(api, 0) as link:
        link.until(lambda: link.condition("Ready").status == "True")
        assert (link.renewed, api.issued) == ([], ["controller"])


def test_a_federation_that_was_off_for_too_long_says_the_command(api: MemberApi) -> None:
    """Case 34: after 40 days the token has expired; nothing but token requests gets to the member."""
    api.fail(401, times=10**6, path="/token")
    with linked(api, 40) as link:
        link.until(lambda: link.condition("CredentialValid").status == "False")
        found = link.condition("CredentialValid")
        assert found.reason == "CredentialExpired"
        assert "rancherctl federation join acme --env m1 --renew" in found.message
        assert link.condition("Ready") == Condition("Ready", "False", found.reason, found.message)
        assert {path.rpartition("/")[2] for _, path in api.requests} == {"token"}
        assert link.renewed == []


def test_a_renewal_that_is_refused_is_said_in_time_and_stops_nothing(api: MemberApi) -> None:
    """Case 34: five days before it expires; until then the member is written to."""
    api.fail(403, times=10**6, path="/serviceaccounts/renewer/token")
    with linked(api, 25) as link:
        link.until(lambda: link.condition("CredentialValid").reason == "CredentialExpiring")
        found = link.condition("CredentialValid")
        assert (found.status, found.message.startswith("the credential expires in 5.0 days")) == ("True", True)
        link.until(lambda: any("/renewer/token" in path for _, path in api.requests))
        create(link, "web")
        assert link.condition("Ready").status == "True"


def test_a_visit_is_noted_in_the_member_and_not_at_each_check(api: MemberApi) -> None:
    """Case 38: by this note a member that was lost can tell since when its federation does not come."""
    key = ("/api/v1/configmaps", "rancherctl-federation-acme", visits.NOTE)

    def note() -> Any:
        with api.store.changed:
            return api.store.objects.get(key)

    with linked(api, 0) as link:
        link.until(note)
    first = note()
    assert visits.stale("m1", "acme", first["data"][visits.KEY], time.time()) == ""
    with linked(api, 0) as link:  # another leader
        asked = sum(visits.NOTE in path for _, path in api.requests)
        link.until(lambda: sum(visits.NOTE in path for _, path in api.requests) > asked)
        link.until(lambda: link.condition("Ready").status == "True")
        assert note() == first
    api.store.put(key[0], key[1], {**first, "data": {visits.KEY: visits.text(0)}}, kind="MODIFIED")
    with linked(api, 0) as link:
        link.until(lambda: note()["data"][visits.KEY] >= first["data"][visits.KEY])


def test_a_new_certificate_authority_is_trusted_beside_the_old_one(api: MemberApi) -> None:
    """Case 35: the member publishes it itself, over the connection that is still trusted."""
    published = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": NEW}}
    api.store.put("/api/v1/configmaps", "rancherctl-federation-acme", published)
    with linked(api, 0) as link:
        link.until(lambda: link.trusted)
        assert link.trusted[0] == NEW.strip().encode() + b"\n" + OLD
        assert link.condition("Ready").status == "True"


def test_an_authority_that_is_known_changes_nothing(api: MemberApi) -> None:
    published = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": OLD.decode()}}
    api.store.put("/api/v1/configmaps", "rancherctl-federation-acme", published)
    with linked(api, 0) as link:
        link.until(lambda: any("kube-root-ca.crt" in path for _, path in api.requests))
        link.until(lambda: link.condition("Ready").status == "True")
        assert link.trusted == []
