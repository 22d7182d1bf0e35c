"""The stored report of the public zone, and what the command line makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.federation.dns_state import DnsState, PublishedName
from rancherctl.federation.operator import dns
from rancherctl.federation.zone_plan import Finding
from rancherctl.federation.zone_report import FORCE, REQUESTS, from_json, to_json

WEB = PublishedName("web.acme.example", "service/default/web", ("A 203.0.113.1 203.0.113.2", "AAAA 2001:db8::1"))
STATE = DnsState(
    conflicts=(
        Finding("www.acme.example.", "service/default/web", "has A 192.0.2.9 without our marker: …"),
        Finding("a.acme.example.", "service/default/web", "it belongs to the federation other/1 (TXT …)"),
    ),
    orphans=(Finding("old.acme.example.", "service/default/old", "its object is not in the federation"),),
    pending=3,
    serial=7,
    epoch=2,
    names=(WEB,),
)


def test_a_report_is_read_back() -> None:
    report = from_json(to_json("acme.example", STATE))
    assert (report.zone, report.names, report.total) == ("acme.example", (WEB,), 1)
    assert (report.pending, report.serial, report.epoch) == (3, 7, 2)
    assert [f.name for f in report.conflicts] == ["www.acme.example", "a.acme.example"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"zone":"x"}'])
def test_other_texts_are_no_reports(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(text)


def test_rows_have_one_record_set_each_and_differences_a_state() -> None:
    report = from_json(to_json("acme.example", STATE))
    assert [(r["name"], r["type"], r["data"]) for r in dns.rows(report)] == [
        ("web.acme.example", "A", ["203.0.113.1", "203.0.113.2"]),
        ("web.acme.example", "AAAA", ["2001:db8::1"]),
    ]
    assert [(r["name"], r["state"]) for r in dns.differences(report)] == [
        ("www.acme.example", "Conflict"),
        ("a.acme.example", "Conflict"),
        ("old.acme.example", "Orphan"),
    ]


class _Client:
    """ConfigMaps by name; the federation does what it is asked for at the next read."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, str]] = {"dns-state": {"content": to_json("acme.example", STATE)}}

    def get(self, _resource: object, name: str, **_: object) -> dict[str, Any]:
        if name not in self.stored:
            raise NotFoundError("not found")
        if "www.acme.example" in self.stored.get(REQUESTS, {}):
            adopted = PublishedName("www.acme.example", "service/default/web", ("A 203.0.113.1",))
            self.stored["dns-state"]["content"] = to_json("acme.example", DnsState(names=(WEB, adopted)))
        if self.stored.get(REQUESTS, {}).get("acme.example") == FORCE:
            self.stored["dns-state"]["content"] = to_json("acme.example", DnsState(names=(WEB,)))
        return {"data": self.stored[name]}

    def patch(self, _resource: object, name: str, body: dict[str, Any], **_: object) -> None:
        if name not in self.stored:
            raise NotFoundError("not found")
        self.stored[name] |= body["data"]

    def create(self, _resource: object, body: dict[str, Any], **_: object) -> None:
        self.stored[body["metadata"]["name"]] = dict(body["data"])


def test_adopt_asks_the_federation_and_waits() -> None:
    client = _Client()
    dns.adopt(client, "WWW.acme.example.")  # type: ignore[arg-type]
    assert client.stored[REQUESTS] == {"www.acme.example": "adopt"}
    dns.adopt(client, "www.acme.example")  # type: ignore[arg-type]


def test_names_that_belong_to_nothing_are_deleted_on_request_and_named() -> None:
    client: Any = _Client()
    assert dns.delete_orphans(client) == ("old.acme.example",)
    assert client.stored[REQUESTS] == {"acme.example": FORCE}
    del client.stored[REQUESTS]
    assert dns.delete_orphans(client) == ()
    assert REQUESTS not in client.stored


def test_only_unmarked_records_at_wanted_names_are_adopted() -> None:
    client: Any = _Client()
    with pytest.raises(NotFoundError) as error:
        dns.adopt(client, "ww.acme.example")
    assert error.value.hint == 'did you mean "www.acme.example"?'
    with pytest.raises(ConflictError, match="belongs to the federation other/1"):
        dns.adopt(client, "a.acme.example")
    assert REQUESTS not in client.stored


def test_a_missing_or_broken_report_says_what_to_look_at() -> None:
    client: Any = _Client()
    client.stored["dns-state"] = {"content": "odd"}
    with pytest.raises(RancherctlError, match="cannot be read"):
        dns.read(client)
    del client.stored["dns-state"]
    with pytest.raises(NotFoundError) as error:
        dns.read(client)
    assert "journalctl -u rancherctl-federation" in error.value.hint
