"""Which Ingresses redirect to HTTPS once TLS is served, for the warning before an upgrade."""

from __future__ import annotations

from rancherctl.contract import INGRESS_CONTROLLER
from rancherctl.ingress.operator.https_redirects import redirecting
from rancherctl.kube.objects import IngressClass, Meta
from tests.fakes import ingress as fake

RULES = [("a.example.org", "Prefix", "/", "web:80")]
CLASSES = {
    "rancher": IngressClass(Meta("", "rancher"), INGRESS_CONTROLLER, default=True),
    "other": IngressClass(Meta("", "other"), "example.org/controller", default=False),
}


def test_an_ingress_with_a_secret_for_a_name_of_its_rules_redirects() -> None:
    plain = fake.ingress("plain", RULES)
    secure = fake.ingress("secure", RULES, tls=[("cert", ["a.example.org"])])
    every_name = fake.ingress("every", RULES, namespace="shop", tls=[("cert", [])])
    stays = fake.ingress(
        "stays", RULES, tls=[("cert", [])], annotations={"ingress.rancherctl.io/ssl-redirect": "false"}
    )
    assert redirecting([secure, plain, every_name, stays], CLASSES, False) == ("default/secure", "shop/every")


def test_ingresses_of_other_controllers_and_names_without_rules_do_not() -> None:
    foreign = fake.ingress("foreign", RULES, class_name="other", tls=[("cert", ["a.example.org"])])
    unused = fake.ingress("unused", RULES, tls=[("cert", ["b.example.org"])])
    assert redirecting([foreign, unused], CLASSES, True) == ()


def test_a_name_without_a_secret_redirects_with_a_default_certificate_only() -> None:
    bare = fake.ingress("bare", RULES, tls=[("", ["a.example.org"])])
    assert redirecting([bare], CLASSES, False) == ()
    assert redirecting([bare], CLASSES, True) == ("default/bare",)


def test_an_ingress_without_plain_http_does_not() -> None:
    closed = fake.ingress("a", RULES, tls=[("cert", [])], annotations={"allow.http": "false"})
    assert redirecting([closed], CLASSES, False) == ()
