"""The Ingresses that redirect to HTTPS after an upgrade, read from an API over HTTP."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from rancherctl.contract import INGRESS_CONTROLLER
from rancherctl.ingress.operator import https_redirects
from rancherctl.kube.rest import RestClient
from tests.fakes.kube import FakeApi

GROUP = "/apis/networking.k8s.io/v1"


def _ingress(name: str, **spec: Any) -> dict[str, Any]:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    rule = {"host": f"{name}.example.org", "http": {"paths": [path]}}
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"ingressClassName": "rancher", "rules": [rule], **spec},
    }


def test_ingresses_with_tls_of_all_namespaces_are_found() -> None:
    with closing(FakeApi()) as api, RestClient(api.url) as client:
        rancher = {"metadata": {"name": "rancher"}, "spec": {"controller": INGRESS_CONTROLLER}}
        api.store.put(f"{GROUP}/ingressclasses", "", rancher)
        for body in (_ingress("plain"), _ingress("secure", tls=[{"hosts": ["secure.example.org"], "secretName": "c"}])):
            api.store.put(f"{GROUP}/ingresses", "shop", body)
        assert https_redirects.read(client, False) == ("shop/secure",)
