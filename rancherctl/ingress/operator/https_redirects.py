"""Which Ingresses have names whose plain requests are redirected to HTTPS once their certificates are usable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rancherctl.ingress.translate.classes import is_rancher
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.client import INGRESSCLASSES, INGRESSES, KubeClient
from rancherctl.kube.objects import Ingress, IngressClass, ingress, ingress_class


def read(client: KubeClient, default_certificate: bool) -> tuple[str, ...]:
    """``redirecting`` for the objects that the API has now."""
    classes = {c.meta.name: c for c in map(ingress_class, client.list(INGRESSCLASSES).items)}
    return redirecting(map(ingress, client.list(INGRESSES).items), classes, default_certificate)


def redirecting(
    ingresses: Iterable[Ingress], classes: Mapping[str, IngressClass], default_certificate: bool
) -> tuple[str, ...]:
    """Keys of those Ingresses, sorted.

    ``default_certificate``: whether the environment has one, which serves names without a secret.
    """
    served = (translate(i) for i in ingresses if i.tls and is_rancher(i, classes))
    both = (t for t in served if t.ports.http and t.ports.https and t.redirect.ssl_redirect != "false")
    return tuple(sorted(t.key for t in both if any(n.secret or default_certificate for n in t.tls)))
