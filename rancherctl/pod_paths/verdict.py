"""What the probes of one host mean: yes, no or could not tell, with the cause. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancherctl.pod_paths.model import Check


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a probe (hosts.remote.path_probes)."""

    outcome: str
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the path works."""
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True)
class Trace:
    """How far the packets of a repeated probe came, in packets counted on this host.

    ``entered`` from the endpoint; ``passed``: past the filters, to this host or out of it; ``returned``: answers that
    came to this host; ``arrived``: answers that went on to the endpoint. ``translated``: those to a Service that
    kube-proxy's rules sent to an endpoint; None unless it is a Service.
    """

    entered: int
    passed: int
    returned: int
    arrived: int
    translated: int | None = None

    @property
    def dropped_here(self) -> bool:
        """Whether this host dropped the packets or their answers."""
        return self.entered > 0 and (self.passed == 0 or (self.returned > 0 and self.arrived == 0))


REACHED = Check("yes")
_DROPPED = "a firewall of this host drops packets of its pods"


_NO_ENTRY = Check("unknown", "endpoint", "the packets of the check endpoint do not come to the host")


def dns(pod: Outcome, host: Outcome, server: str, trace: Trace | None) -> Check:
    """Whether pods reach this host's DNS server. ``host``: the same query, sent by the host itself."""
    if pod.ok:
        return REACHED
    if not host.ok:
        return Check("no", "dns-server", f"the DNS server of this host fails at {server}: {host.detail}")
    if trace is not None and trace.entered == 0:
        return _NO_ENTRY
    return Check("no", "firewall", f"{_DROPPED} to {server} port 53 ({pod.detail}; the host itself gets answers)")


def _no_entry(trace: Trace | None) -> bool:
    return trace is not None and trace.entered == 0


def _dropped_here(trace: Trace | None) -> bool:
    return trace is not None and trace.dropped_here


def api(pod: Outcome, own: Outcome, proxy: str, address: str, trace: Trace | None) -> Check:
    """Whether pods reach the API through its Service at ``address``.

    ``own``: the host's connection to the API that does not use Services. ``proxy`` says why kube-proxy of this host is
    not healthy ("" = it is).
    """
    if pod.ok:
        return Check("no", "kube-proxy", f"Services keep their last endpoints: {proxy}") if proxy else REACHED
    if not own.ok:
        return Check("unknown", "api", f"the API does not answer this host either: {own.detail}")
    if _no_entry(trace):
        return _NO_ENTRY
    if proxy or (trace is not None and trace.translated == 0):
        why = proxy or "kube-proxy has no rule for it, or knows no endpoint"
        return Check("no", "kube-proxy", f"Service {address} of the API does not work: {why}")
    if _dropped_here(trace) or pod.outcome in ("unreachable", "refused"):
        return Check("no", "firewall", f"{_DROPPED} to the API, Service {address} ({pod.detail})")
    return Check("no", "network", f"packets of pods to the API (Service {address}) leave this host unanswered")


def pod(peer: str, found: Outcome, host: Outcome, route: str, trace: Trace | None) -> Check:
    """Whether pods reach the check endpoint of another host.

    ``host``: this host's own connection to the other host. ``route``: where the kernel sends packets for it, if that
    is not where they must go ("" = it is, or unknown).
    """
    if found.ok:
        return REACHED
    for applies, check in (
        (bool(route), Check("no", "route", f"the route to pods of {peer} is missing: {route}")),
        (found.outcome == "short", Check("no", "mtu", f"large packets from pods of {peer} are lost: {found.detail}")),
        (found.outcome == "wrong", Check("no", "route", f"packets for pods of {peer} go elsewhere: {found.detail}")),
        (_no_entry(trace), _NO_ENTRY),
        (_dropped_here(trace), Check("no", "firewall", f"{_DROPPED} to pods of {peer} ({found.detail})")),
        (not host.ok, Check("unknown", "peer", f"host {peer} does not answer at all: {host.detail}")),
        (found.outcome == "refused", Check("unknown", "peer", f"the check endpoint of {peer} is not up")),
    ):
        if applies:
            return check
    return Check("no", "network", f"packets to pods of {peer} leave this host, no answer comes back ({found.detail})")
