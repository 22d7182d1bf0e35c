"""Selecting records for `dns ls`."""

from __future__ import annotations

from rancherctl.dns import listing
from rancherctl.dns.model import DnsHostConfig, RecordSet

CONFIG = DnsHostConfig("h1")


def test_records_are_selected_by_zone_service_and_name() -> None:
    found = [
        RecordSet("mongodb.prod.svc.cluster.local.", "A", ("10.43.0.7",)),
        RecordSet("mdb-0.mongodb.prod.svc.cluster.local.", "A", ("10.42.0.7",)),
        RecordSet("mongodb.test.svc.cluster.local.", "A", ("10.43.0.8",)),
        RecordSet("amongodb.prod.svc.cluster.local.", "A", ("10.43.0.9",)),
        RecordSet("7.0.43.10.in-addr.arpa.", "PTR", ("mongodb.prod.svc.cluster.local.",)),
    ]

    def chosen(what: str) -> list[int]:
        return [found.index(s) for s in listing.select(found, what, CONFIG)]

    assert chosen("") == [0, 1, 2, 3, 4]
    assert chosen("cluster.local") == [0, 1, 2, 3]
    assert chosen("43.10.in-addr.arpa.") == [4]
    assert chosen("mongodb") == [0, 1, 2, 4]
    assert (
        chosen("mongodb.prod")
        == chosen("prod/mongodb")
        == chosen("mongodb.prod.svc")
        == chosen("mongodb.prod.svc.cluster.local")
        == [0, 1, 4]
    )
    assert chosen("mdb-0.mongodb.prod.svc.cluster.local") == [1]
    assert chosen("nope") == []
