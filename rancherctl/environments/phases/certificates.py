"""Authorities, keys and certificates.

Control-plane hosts come first: an authority must be stored before anything trusts it.
"""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.base import Phase
from rancherctl.environments.pki import reconcile as pki
from rancherctl.environments.pki.wanted import CertChange
from rancherctl.environments.plan import PhasePlan, Step, certificate_step
from rancherctl.environments.run import EnvironmentRun
from rancherctl.events import Event
from rancherctl.hosts.model import Host


class Certificates(Phase):
    """Signs what is missing or due; private keys are made on the hosts and stay there."""

    def steps(self, run: EnvironmentRun) -> tuple[Step, ...]:
        """Certificates and shared files that each host needs."""
        return tuple(certificate_step(host, change) for host, changes in _changes(run).items() for change in changes)

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Make them, on control-plane hosts before the others."""
        wanted, now = _changes(run), run.context.now()

        def work(host: Host) -> None:
            if host.name not in wanted:
                return
            run.changed.add(host.name)
            pki.apply(
                run.context.transport(host),
                run.environment,
                host,
                wanted[host.name],
                shared_files=run.material(),
                now=now,
            )
            made = ", ".join(change.name for change in wanted[host.name])
            run.context.emit(Event(self.name, f"made {made}", host.name, "done"))

        if wanted:
            run.material()  # once, before the hosts' threads use it
        first = tuple(h for h in run.hosts() if h.is_a("controlplane"))
        run.each(self, first, work)
        run.authorities_stored(first)
        run.each(self, tuple(h for h in run.hosts() if not h.is_a("controlplane")), work)


def _changes(run: EnvironmentRun) -> dict[str, tuple[CertChange, ...]]:
    now = run.context.now()
    found = {
        host.name: pki.plan(run.environment, host, run.observed.hosts[host.name].folder, run.authorities, now)
        for host in run.hosts()
    }
    return {name: changes for name, changes in found.items() if changes}


CERTIFICATES: Final = Certificates("certificates", "authorities, keys and certificates")
