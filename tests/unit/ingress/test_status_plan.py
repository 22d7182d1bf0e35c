"""Statuses are decided for any Placeable, not for Ingresses only: here a Service of type LoadBalancer on port 25."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rancherctl.ingress.status.events import event
from rancherctl.ingress.status.plan import Published, StatusRequest, Stored, plan_statuses, plan_writes
from rancherctl.ingress.status.publish import write_statuses
from rancherctl.ingress.status.report import HostReport
from rancherctl.kube.client import SERVICES
from rancherctl.kube.objects import Meta
from rancherctl.placement.model import ObjectProblem, Placeable, PlacementOptions, Roster
from rancherctl.placement.place import place
from tests.fakes import ingress as fake
from tests.fakes.status_client import StatusClient

MAIL = Placeable("mail/smtp", PlacementOptions(2), hash="abc", ports=(25,))
META = Meta("mail", "smtp", uid="u", resource_version="7")
SCHEME = 4


def _decide(roster: Roster, confirmed: dict[str, HostReport], stored: Published) -> Published:
    request = StatusRequest(MAIL, place(MAIL, roster))
    objects = {MAIL.key: Stored("u", stored)}
    found = plan_statuses(objects, {MAIL.key: request}, roster, confirmed, hash_scheme=SCHEME, since={}, now=0.0)
    return found.desired[MAIL.key]


def test_confirmed_hosts_of_a_service_are_published_and_written_to_its_status() -> None:
    roster = fake.roster("h1", "h2")
    reports = {h: HostReport({MAIL.key: "abc"}, hash_scheme=SCHEME) for h in ("h1", "h2")}
    decided = _decide(roster, reports, Published((), ""))
    assert decided.addresses == ("192.0.2.1", "192.0.2.2")
    stored = {MAIL.key: Stored("u", Published((), ""))}
    statuses = plan_statuses(
        stored,
        {MAIL.key: StatusRequest(MAIL, place(MAIL, roster))},
        roster,
        reports,
        hash_scheme=SCHEME,
        since={},
        now=0.0,
    )
    client: Any = StatusClient()
    result = write_statuses(client, SERVICES, {MAIL.key: META}, plan_writes(stored, statuses))
    assert result.done == {MAIL.key}
    ((resource, key, body, subresource),) = client.patches
    assert (resource, key, subresource) == (SERVICES, MAIL.key, "status")
    assert body["metadata"]["resourceVersion"] == "7"
    assert body["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]


def test_a_host_whose_port_is_blocked_is_not_published() -> None:
    hosts = fake.roster("h1", "h2").hosts
    roster = Roster(1, 1, (hosts[0], replace(hosts[1], blocked=(25,))))
    reports = {h: HostReport({MAIL.key: "abc"}, hash_scheme=SCHEME) for h in ("h1", "h2")}
    assert _decide(roster, reports, Published((), "")).addresses == ("192.0.2.1",)


def test_an_event_names_the_service() -> None:
    found = event(
        SERVICES, META, ObjectProblem("TooFewHosts", "1 eligible host", serious=False), "2026-01-01T00:00:00Z"
    )
    assert (found["type"], found["involvedObject"]["apiVersion"], found["involvedObject"]["kind"]) == (
        "Normal",
        "v1",
        "Service",
    )


def test_an_excluded_host_leaves_when_the_next_one_has_confirmed_or_after_some_seconds() -> None:
    one = replace(MAIL, options=PlacementOptions(1))
    hosts = fake.roster("h1", "h2").hosts
    first = next(h for h in hosts if h.name in place(one, Roster(1, 1, hosts)).hosts)
    (other,) = (h for h in hosts if h is not first)
    serving = {first.name: HostReport({MAIL.key: "abc"}, hash_scheme=SCHEME)}
    both = serving | {other.name: HostReport({MAIL.key: "abc"}, hash_scheme=SCHEME)}
    objects = {MAIL.key: Stored("u", Published((first.address,), ""))}

    def decide(roster: Roster, reports: dict[str, HostReport], now: float, since: dict[str, float]) -> tuple[str, ...]:
        request = {MAIL.key: StatusRequest(one, place(one, roster))}
        found = plan_statuses(objects, request, roster, reports, hash_scheme=SCHEME, since=since, now=now)
        since |= found.since
        return found.desired[MAIL.key].addresses

    roster = Roster(1, 2, tuple(replace(h, excluded=h is first) for h in hosts))
    waits: dict[str, float] = {}
    assert decide(roster, serving, 100.0, waits) == (first.address,)
    assert decide(roster, both, 101.0, dict(waits)) == (other.address,)
    assert decide(roster, serving, 106.0, waits) == ()
    alone = Roster(1, 2, (replace(first, excluded=True),))
    assert decide(alone, serving, 100.0, {}) == (), "no other host can serve it"
