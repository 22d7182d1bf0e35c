"""Cache of translations, placements, rules and endpoint lookups, valid while their inputs stay. Pure.

It only saves time: every method returns what the uncached function would return. One change among thousands of objects
must not translate the others again, and a changed endpoint must not merge the paths of all Ingresses again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rancherctl.ingress.model import BackendRef, Translated
from rancherctl.ingress.translate import classes, endpoints
from rancherctl.ingress.translate.certificates import CertificateChoice
from rancherctl.ingress.translate.endpoints import EndpointLookup
from rancherctl.ingress.translate.latest import Latest
from rancherctl.ingress.translate.merge import host_rules, merge
from rancherctl.ingress.translate.rules import translate
from rancherctl.ingress.translate.tls import TlsClaims, claim_names, sites_of
from rancherctl.kube.objects import EndpointSlice, Ingress, IngressClass, Service
from rancherctl.placement.model import Roster
from rancherctl.placement.place import Placement, place

SliceLists = Mapping[str, list[EndpointSlice]]
"""EndpointSlices by the key of their Service."""


class TranslationCache:
    """Translations by object version, placements for one roster, servers by backend.

    What is made from all Ingresses is kept until one of them changes: ``translate_all`` (those of the rancherctl class
    that are not being deleted), ``place_all``, and the functions of the same names in merge.py and tls.py.
    """

    def __init__(self) -> None:
        self.translated: dict[str, tuple[tuple[str, str], Translated]] = {}
        self.placed: dict[str, tuple[Translated, Placement]] = {}
        self.roster: Roster | None = None
        self.slices: Mapping[str, EndpointSlice] = {}
        self.by_service: dict[str, list[EndpointSlice]] = {}
        self.lookups: dict[tuple[str, str], tuple[Service | None, list[EndpointSlice] | None, EndpointLookup]] = {}
        self.translate_all, self.place_all = Latest(self._translate_all), Latest(self._place_all)
        self.merge, self.host_rules = Latest(merge), Latest(host_rules)
        self.claim_names, self.sites_of, self.claims_on = Latest(claim_names), Latest(sites_of), Latest(TlsClaims.on)
        self.certificates = CertificateChoice()

    def translate(self, ingress: Ingress) -> Translated:
        """Translate one Ingress; cached by uid and resource version."""
        version = (ingress.meta.uid, ingress.meta.resource_version)
        known = self.translated.get(ingress.meta.key)
        if known is not None and known[0] == version and version[1]:
            return known[1]
        fresh = translate(ingress)
        self.translated[ingress.meta.key] = (version, fresh)
        return fresh

    def _translate_all(
        self, ingresses: Mapping[str, Ingress], table: Mapping[str, IngressClass]
    ) -> dict[str, Translated]:
        for results in (self.translated, self.placed):
            for key in [k for k in results if k not in ingresses]:
                del results[key]
        return {
            key: self.translate(i)
            for key, i in ingresses.items()
            if not i.meta.deleting and classes.is_rancher(i, table)
        }

    def _place_all(self, translated: Mapping[str, Translated], roster: Roster) -> dict[str, Placement]:
        if self.roster is None or self.roster.hosts != roster.hosts:
            self.placed.clear()
        self.roster = roster
        return {key: self._place(t, roster) for key, t in translated.items()}

    def _place(self, t: Translated, roster: Roster) -> Placement:
        known = self.placed.get(t.key)
        if known is not None and known[0] is t:
            return known[1]
        fresh = place(t.for_placement, roster)
        self.placed[t.key] = (t, fresh)
        return fresh

    def slices_by_service(self, slices: Mapping[str, EndpointSlice]) -> SliceLists:
        """Group EndpointSlices by Service.

        A list without changes stays the same object, so its lookups stay valid.
        """
        if self.slices is not slices:
            before = self.slices
            new = [s for key, s in slices.items() if before.get(key) is not s]
            gone = [s for key, s in before.items() if slices.get(key) is not s]
            removed = {id(s) for s in gone}
            for key in {s.service_key for s in (*new, *gone) if s.service}:
                self.by_service[key] = [s for s in self.by_service.get(key, ()) if id(s) not in removed]
            for entry in new:
                if entry.service:
                    self.by_service[entry.service_key].append(entry)
            for key in {s.service_key for s in gone if s.service and not self.by_service[s.service_key]}:
                del self.by_service[key]
            self.slices = slices
        return self.by_service

    def servers_of(
        self,
        ref: BackendRef,
        services: Mapping[str, Service],
        slices: SliceLists,
        resolved: Mapping[str, Sequence[str]],
        *,
        external: bool = True,
        node: str = "",
    ) -> EndpointLookup:
        """Look up the servers of one backend; cached while the Service and its slices are the same objects.

        ExternalName Services are never cached: their addresses change without a change of any object.
        """
        key = f"{ref.namespace}/{ref.service}"
        service, own = services.get(key), slices.get(key)
        known = self.lookups.get((ref.key, node))
        if (
            known is not None
            and known[0] is service
            and known[1] is own
            and (service is None or service.type != "ExternalName")
        ):
            return known[2]
        fresh = endpoints.servers_of(ref, services, slices, resolved, external=external, node=node)
        self.lookups[ref.key, node] = (service, own, fresh)
        return fresh

    def keep_lookups(self, backends: Collection[str]) -> None:
        """Forget the lookups of all other backends."""
        for key in [k for k in self.lookups if k[0] not in backends]:
            del self.lookups[key]
