"""SecretCopiesController: which hosts get copies of which secrets, and when these go."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any
from unittest.mock import Mock

import pytest

from rancherctl.agents.controllers.ingress_statuses import IngressStatusController
from rancherctl.agents.controllers.secret_copies import SecretCopiesController
from rancherctl.agents.environment_controllers import environment_controllers
from rancherctl.agents.fence import Fenced
from rancherctl.agents.install import agent_config
from rancherctl.contract import UNUSABLE_ANNOTATION
from rancherctl.environments.inventory import from_flags
from rancherctl.errors import AuthError, ConflictError, UnreachableError
from rancherctl.ingress import copies
from rancherctl.ingress.model import Translated
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube import objects
from rancherctl.kube.client import AlreadyExistsError
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.place import place
from tests.fakes import ingress as fake
from tests.fakes import mtls, tls
from tests.fakes.controllers import Leadership

AUTHORITY = tls.Authority()
ENV = from_flags("demo", ["root@10.0.0.11"]).environment
HOSTS = ("h1", "h2", "h3")


class Api:
    """Secrets in namespaces of hosts; ``refuse`` maps a namespace to the error of its writes."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.refuse: dict[str, Exception] = {}
        self.version = 0

    def _put(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        meta = body["metadata"]
        if error := self.refuse.get(meta["namespace"]):
            raise error
        key = f"{meta['namespace']}/{meta['name']}"
        if verb == "create" and key in self.secrets:
            raise AlreadyExistsError("exists")
        if verb == "replace" and self.secrets[key]["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise ConflictError("changed")
        self.version += 1
        self.secrets[key] = {**body, "metadata": meta | {"resourceVersion": str(self.version), "uid": f"u{key}"}}
        self.writes.append(f"{verb} {meta['namespace']}")
        return body

    def create(self, _: Any, body: dict[str, Any], **__: Any) -> dict[str, Any]:
        return self._put("create", body)

    def replace(self, _: Any, body: dict[str, Any], **__: Any) -> dict[str, Any]:
        return self._put("replace", body)

    def delete(self, _: Any, name: str, *, namespace: str, options: Any, **__: Any) -> None:
        assert options["preconditions"].keys() == {"uid", "resourceVersion"}
        del self.secrets[f"{namespace}/{name}"]
        self.writes.append(f"delete {namespace}")


class World:
    """Ingresses, secrets and reports; ``turn`` is one call of the controller."""

    def __init__(self, default: str = "") -> None:
        self.api, self.leadership, self.now = Api(), Leadership(), 100.0
        self.ingresses: list[objects.Ingress] = []
        self.secrets: list[objects.TlsSecret] = []
        self.serving: dict[str, list[str]] = {}
        self.named: dict[str, objects.Secret | None] = {}
        self.followed: set[str] = set()
        fenced = Fenced(self.api, self.leadership.check)  # type: ignore[arg-type]
        self.controller = SecretCopiesController(
            fenced,
            self.leadership,  # type: ignore[arg-type]
            lambda: self.now,
            default,
            named=self,
        )

    def follow(self, wanted: Collection[str]) -> dict[str, objects.Secret | None]:
        """Reads secrets by name: ``named`` is what is known of them."""
        self.followed = set(wanted)
        return {key: secret for key, secret in self.named.items() if key in wanted}

    def turn(self, seconds: float = 10.0) -> list[str]:
        """The writes of one call."""
        self.now += seconds
        self.api.writes.clear()
        self.controller.reconcile(self.snapshot())
        return sorted(self.api.writes)

    def snapshot(self) -> Snapshot:
        reports = {h: {"sections": {"lb": {"served": {}, "placed": keys}}} for h, keys in self.serving.items()}
        maps = {"roster": {"roster": fake.roster(*HOSTS).to_json()}}
        maps |= {f"report-{h}": {"report": json.dumps(report)} for h, report in reports.items()}
        listed: dict[str, Iterable[Any]] = {
            "ingresses": self.ingresses,
            "ingressclasses": [fake.RANCHER],
            "tlssecrets": self.secrets,
            "copies": [objects.meta(body) for body in self.api.secrets.values()],
        }
        tables = {name: {_key(o): o for o in found} for name, found in listed.items()}
        tables["configmaps"] = {
            f"rancherctl-system/{name}": objects.config_map(
                {"metadata": {"name": name, "namespace": "rancherctl-system"}, "data": data}
            )
            for name, data in maps.items()
        }
        return Snapshot({name: Table(items, synced=True, healthy=True) for name, items in tables.items()})

    def copies(self) -> dict[str, set[str]]:
        """Sources of the copies by host."""
        found: dict[str, set[str]] = {}
        for body in self.api.secrets.values():
            meta = body["metadata"]
            host = meta["namespace"].removeprefix("rancherctl-host-")
            found.setdefault(host, set()).add(meta["annotations"]["rancherctl.io/source"])
        return found


def _key(obj: Any) -> str:
    return str(obj.key if isinstance(obj, objects.Meta) else obj.meta.key)


def site(name: str, secret: str, scale: int = 1) -> objects.Ingress:
    return fake.ingress(
        name, [(f"{name}.example", "Prefix", "/", "web:80")], tls=[(secret, [])], annotations={"scale": str(scale)}
    )


def hosts_of(ingress: objects.Ingress) -> set[str]:
    return set(place(translate(ingress).for_placement, fake.roster(*HOSTS)).hosts)


@pytest.fixture
def world() -> World:
    return World()


def test_each_host_gets_the_secrets_of_what_is_placed_on_it(world: World) -> None:
    a, b = site("a", "sa", 2), site("b", "sb")
    world.ingresses = [a, b]
    world.secrets = [AUTHORITY.issue("a.example").secret("sa"), AUTHORITY.issue("x").secret("unused")]
    assert len(world.turn()) == 2
    assert {h for h, sources in world.copies().items() if sources == {"default/sa"}} == hosts_of(a)
    assert world.turn() == []
    world.secrets.append(AUTHORITY.issue("b.example").secret("sb"))
    world.turn()
    assert {h for h, sources in world.copies().items() if "default/sb" in sources} == hosts_of(b)


def test_a_copy_is_what_the_host_understands(world: World) -> None:
    pair = AUTHORITY.issue("a.example")
    world.ingresses, world.secrets = [site("a", "sa")], [pair.secret("sa")]
    world.turn()
    (body,) = world.api.secrets.values()
    assert body["type"] != "kubernetes.io/tls", "a copy is not a secret that an Ingress may name"
    source, content = copies.read_copy(objects.tls_secret(body)) or ("", None)
    assert source == "default/sa"
    assert content == copies.copied(pair.secret("sa"))


def test_a_rotation_replaces_the_copies_and_nothing_else(world: World) -> None:
    world.ingresses = [site("a", "sa", 3), site("b", "sb", 3)]
    world.secrets = [AUTHORITY.issue("a.example").secret("sa"), AUTHORITY.issue("b.example").secret("sb")]
    world.turn()
    world.secrets[0] = AUTHORITY.issue("a.example").secret("sa", version="2")
    assert world.turn() == [f"replace rancherctl-host-{h}" for h in HOSTS]


def test_an_unusable_secret_is_copied_as_its_reason(world: World) -> None:
    world.ingresses, world.secrets = [site("a", "sa")], [tls.secret("sa", b"junk", b"")]
    world.turn()
    (body,) = world.api.secrets.values()
    assert body["data"] == {}
    assert body["metadata"]["annotations"][UNUSABLE_ANNOTATION] == "tls.crt has no certificate in PEM"


def test_a_copy_goes_when_the_host_has_stopped_serving(world: World) -> None:
    world.ingresses, world.secrets = [site("a", "sa")], [AUTHORITY.issue("a.example").secret("sa")]
    world.turn()
    (host,) = world.copies()
    world.serving = {host: ["default/a"]}
    world.ingresses = [
        fake.ingress(
            "a",
            [("a.example", "Prefix", "/", "web:80")],
            tls=[("sa", [])],
            annotations={"io.rancher.scheduler.affinity.host_label": "nowhere=true"},
            version="2",
        )
    ]
    assert world.turn() == [], "it is still served there"
    world.serving = {host: []}
    assert world.turn() == [f"delete rancherctl-host-{host}"]


def test_a_deleted_secret_or_ingress_takes_its_copies_along(world: World) -> None:
    world.ingresses, world.secrets = [site("a", "sa")], [AUTHORITY.issue("a.example").secret("sa")]
    world.turn()
    world.secrets.clear()
    assert len(world.turn()) == 1
    assert world.copies() == {}


def test_an_api_that_lost_its_secrets_takes_no_copy(world: World) -> None:
    names = [f"n{i}" for i in range(12)]
    world.ingresses = [site(n, n) for n in names]
    world.secrets = [AUTHORITY.issue(f"{n}.example").secret(n) for n in names]
    world.turn()
    world.secrets = world.secrets[:2]
    assert world.turn() == []
    assert world.controller.alarms == ("10 of 12 copied secrets vanished at once: hosts keep them",)
    assert world.turn(590) == []
    assert len(world.turn(20)) == 10, "after a long time it is believed"
    assert world.controller.alarms == ()


def test_a_namespace_that_cannot_be_written_stops_no_other(world: World) -> None:
    world.ingresses, world.secrets = [site("a", "sa", 3)], [AUTHORITY.issue("a.example").secret("sa")]
    world.api.refuse = {"rancherctl-host-h2": AuthError("forbidden")}
    assert world.turn() == ["create rancherctl-host-h1", "create rancherctl-host-h3"]
    world.api.refuse.clear()
    assert world.turn(60) == ["create rancherctl-host-h2"]


def test_an_api_that_does_not_answer_ends_the_batch(world: World) -> None:
    world.ingresses, world.secrets = [site("a", "sa", 3)], [AUTHORITY.issue("a.example").secret("sa")]
    world.api.refuse = {f"rancherctl-host-{h}": UnreachableError("down") for h in HOSTS}
    with pytest.raises(UnreachableError):
        world.turn()


def test_a_standby_writes_nothing(world: World) -> None:
    world.ingresses, world.secrets = [site("a", "sa")], [AUTHORITY.issue("a.example").secret("sa")]
    world.leadership.leading = False
    assert world.turn() == []


def test_the_default_certificate_goes_where_anything_is_placed() -> None:
    world = World("infra/fallback")
    world.secrets = [AUTHORITY.issue("default").secret("fallback", "infra")]
    assert world.turn() == []
    plain = fake.ingress("p", [("p.example", "Prefix", "/", "web:80")])
    world.ingresses = [plain]
    world.turn()
    assert world.copies() == {h: {"infra/fallback"} for h in hosts_of(plain)}


def test_copies_elsewhere_are_not_touched(world: World) -> None:
    """Anybody may put the label on a Secret of their own."""
    body = copies.copy_object("h1", "default/x", AUTHORITY.issue("x").secret("x"))
    body["metadata"] |= {"namespace": "team", "resourceVersion": "1", "uid": "u"}
    world.api.secrets["team/own"] = body
    assert world.turn() == []


def test_authorities_of_clients_are_copied_with_their_purpose_and_nothing_else_of_their_secret(world: World) -> None:
    """Only secrets that an Ingress names are read, and only from its own namespace."""
    world.ingresses = [mtls.guarded("a.example", "sa", "ca"), site("b", "sb")]
    world.secrets = [AUTHORITY.issue("a.example").secret("sa")]
    key = {"ca.crt": AUTHORITY.certificate, "ca.key": b"private", "password": b"x"}
    world.named = {"default/ca": mtls.secret("ca", key), "default/sb": mtls.secret("sb", key)}
    world.turn()
    assert world.followed == {"default/ca"}
    hosts = hosts_of(world.ingresses[0])
    assert {h for h, sources in world.copies().items() if sources == {"default/sa", "default/ca"}} == hosts
    (body,) = (b for b in world.api.secrets.values() if b["metadata"]["labels"]["rancherctl.io/copy"] == "client-ca")
    assert body["data"].keys() == {"ca.crt"}
    assert body["type"] == "rancherctl.io/client-ca"
    copy = objects.secret_copy(body)
    assert copies.read_copy(copy) is None, "it is not taken for a certificate"
    found, data = copies.read_purpose_copy(copy) or ("", None)
    assert found == "client-ca:default/ca"
    assert data
    assert data.data == {"ca.crt": AUTHORITY.certificate.decode()}
    assert data.content == body["metadata"]["annotations"]["rancherctl.io/content"], "leader and host agree"
    assert world.turn() == []


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (
            "kubernetes.io/service-account-token",
            AUTHORITY.certificate,
            "it has the type 'kubernetes.io/service-account-token', only Opaque and kubernetes.io/tls are read",
        ),
        (
            "bootstrap.kubernetes.io/token",
            AUTHORITY.certificate,
            "it has the type 'bootstrap.kubernetes.io/token', only Opaque and kubernetes.io/tls are read",
        ),
        ("Opaque", b"junk", "ca.crt has no certificate in PEM"),
        ("Opaque", AUTHORITY.issue("x").key, "ca.crt has no certificate in PEM"),
        (
            "Opaque",
            b"".join(tls.Authority().certificate for _ in range(70)),
            "ca.crt has 39480 characters of certificates, at most 30000 are supported",
        ),
    ],
    ids=["service-account", "bootstrap", "junk", "private-key", "large"],
)
def test_a_secret_that_must_not_be_read_is_copied_as_its_reason(
    world: World, kind: str, data: bytes, reason: str
) -> None:
    secret = mtls.secret("ca", {"ca.crt": data, "token": b"x"}, kind=kind)
    assert kind == "Opaque" or secret.data == {}, "credentials of the cluster are not even decoded"
    world.ingresses, world.named = [mtls.guarded("a.example", "sa", "ca")], {"default/ca": secret}
    world.turn()
    (body,) = world.api.secrets.values()
    assert body["data"] == {}
    found = body["metadata"]["annotations"][UNUSABLE_ANNOTATION]
    assert found.partition("has ")[0] == reason.partition("has ")[0]
    assert found.endswith(reason[-20:])


def test_a_secret_that_could_not_be_read_yet_is_not_an_absent_one(world: World) -> None:
    world.ingresses = [mtls.guarded("a.example", "sa", "ca")]
    world.named = {"default/ca": mtls.secret("ca", {"ca.crt": AUTHORITY.certificate})}
    world.turn()
    world.named = {}
    assert world.turn() == [], "a new leader knows nothing at first"
    world.named = {"default/ca": None}
    assert [write.partition(" ")[0] for write in world.turn()] == ["delete"]
    world.named = {"default/ca": mtls.secret("ca", {"ca.crt": AUTHORITY.certificate}, version="2")}
    assert [write.partition(" ")[0] for write in world.turn()] == ["create"]
    world.ingresses = []
    assert [write.partition(" ")[0] for write in world.turn()] == ["delete"]
    assert world.followed == set()
    world.ingresses = [mtls.guarded("a.example", "sa", "ca")]
    world.turn()
    world.leadership.leading = False
    world.turn()
    assert world.followed == set(), "a standby reads no secret"


def test_an_api_that_lost_many_authorities_takes_no_copy(world: World) -> None:
    names = [f"n{i}" for i in range(12)]
    world.ingresses = [mtls.guarded(f"{n}.example", n, n) for n in names]
    authority = {"ca.crt": AUTHORITY.certificate}
    world.named = {f"default/{n}": mtls.secret(n, authority) for n in names}
    world.turn()
    world.named = dict.fromkeys(world.named)
    assert world.turn() == []
    assert world.controller.alarms == ("12 of 12 copied secrets vanished at once: hosts keep them",)


def test_a_namespace_that_refuses_a_copy_of_authorities_stops_no_other(world: World) -> None:
    """Case 33."""
    world.ingresses = [mtls.guarded("a.example", "sa", "ca", scale=3)]
    world.named = {"default/ca": mtls.secret("ca", {"ca.crt": AUTHORITY.certificate})}
    world.api.refuse = {"rancherctl-host-h2": AuthError("forbidden")}
    assert world.turn() == ["create rancherctl-host-h1", "create rancherctl-host-h3"]
    world.api.refuse.clear()
    assert world.turn(60) == ["create rancherctl-host-h2"]


def test_an_ingress_is_translated_once_for_all_controllers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of Ingresses the translations are most of what the controller process keeps in memory."""
    translated: list[str] = []

    def counted(ingress: objects.Ingress) -> Translated:
        translated.append(ingress.meta.name)
        return translate(ingress)

    monkeypatch.setattr("rancherctl.ingress.translate.cache.translate", counted)
    world.ingresses, world.secrets = [site("a", "sa"), site("b", "sb")], []
    config = agent_config(ENV, ENV.hosts[0])
    for controller in environment_controllers(config, Mock(), world.leadership):  # type: ignore[arg-type]
        if isinstance(controller, (SecretCopiesController, IngressStatusController)):
            controller.reconcile(world.snapshot())
    assert translated == ["a", "b"]
