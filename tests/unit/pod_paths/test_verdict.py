"""What probes mean: yes, no with a cause, or could not tell."""

from __future__ import annotations

import pytest

from rancherctl.pod_paths.model import Check
from rancherctl.pod_paths.verdict import Outcome, Trace, api, dns, pod

OK, SILENT, REFUSED = Outcome("ok"), Outcome("timeout", "no answer"), Outcome("refused", "connection refused")
DROPPED = Trace(2, 0, 0, 0)
LEFT = Trace(2, 2, 0, 0)
ANSWER_DROPPED = Trace(2, 2, 2, 0)
NOTHING_CAME = Trace(0, 0, 0, 0)


def brief(check: Check) -> tuple[str, str]:
    return check.answer, check.cause


@pytest.mark.parametrize(
    ("found", "host", "trace", "expected"),
    [
        (OK, OK, None, ("yes", "")),
        (REFUSED, REFUSED, None, ("no", "dns-server")),
        (Outcome("wrong", "answers SERVFAIL"), Outcome("wrong", "answers SERVFAIL"), LEFT, ("no", "dns-server")),
        (SILENT, OK, DROPPED, ("no", "firewall")),
        (SILENT, OK, ANSWER_DROPPED, ("no", "firewall")),
        (SILENT, OK, None, ("no", "firewall")),
        (SILENT, OK, NOTHING_CAME, ("unknown", "endpoint")),
    ],
)
def test_dns(found: Outcome, host: Outcome, trace: Trace | None, expected: tuple[str, str]) -> None:
    assert brief(dns(found, host, "10.43.0.10", trace)) == expected


@pytest.mark.parametrize(
    ("found", "own", "proxy", "trace", "expected"),
    [
        (OK, OK, "", None, ("yes", "")),
        (OK, OK, "its health check answers 503", None, ("no", "kube-proxy")),
        (REFUSED, REFUSED, "", LEFT, ("unknown", "api")),
        (SILENT, SILENT, "stopped", DROPPED, ("unknown", "api")),
        (SILENT, OK, "stopped", DROPPED, ("no", "kube-proxy")),
        (SILENT, OK, "", Trace(2, 2, 0, 0, 0), ("no", "kube-proxy")),
        (SILENT, OK, "", Trace(2, 0, 0, 0, 2), ("no", "firewall")),
        (Outcome("unreachable", "no route to host"), OK, "", Trace(2, 2, 0, 0, 2), ("no", "firewall")),
        (SILENT, OK, "", Trace(2, 2, 0, 0, 2), ("no", "network")),
        (SILENT, OK, "", NOTHING_CAME, ("unknown", "endpoint")),
    ],
)
def test_api(found: Outcome, own: Outcome, proxy: str, trace: Trace | None, expected: tuple[str, str]) -> None:
    assert brief(api(found, own, proxy, "10.43.0.1", trace)) == expected


@pytest.mark.parametrize(
    ("found", "host", "route", "trace", "expected"),
    [
        (OK, OK, "", None, ("yes", "")),
        (SILENT, OK, "packets go via 10.0.0.1", LEFT, ("no", "route")),
        (Outcome("short", "512 bytes"), OK, "", LEFT, ("no", "mtu")),
        (Outcome("wrong", "host h9 answers"), OK, "", LEFT, ("no", "route")),
        (SILENT, OK, "", DROPPED, ("no", "firewall")),
        (SILENT, OK, "", ANSWER_DROPPED, ("no", "firewall")),
        (SILENT, OK, "", LEFT, ("no", "network")),
        (SILENT, OK, "", None, ("no", "network")),
        (SILENT, SILENT, "", LEFT, ("unknown", "peer")),
        (REFUSED, OK, "", LEFT, ("unknown", "peer")),
        (SILENT, OK, "", NOTHING_CAME, ("unknown", "endpoint")),
    ],
)
def test_pods_of_another_host(
    found: Outcome, host: Outcome, route: str, trace: Trace | None, expected: tuple[str, str]
) -> None:
    assert brief(pod("h2", found, host, route, trace)) == expected


def test_every_no_has_a_reason() -> None:
    assert "10.43.0.10" in dns(SILENT, OK, "10.43.0.10", DROPPED).reason
    assert "h2" in pod("h2", SILENT, OK, "", LEFT).reason
