"""Random Ingresses, secrets and requests: HAProxy answers as the matcher says, however it got its configuration."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress import copies
from rancherctl.ingress.matcher import RuleTable
from rancherctl.ingress.model import Proxies, Route
from rancherctl.ingress.operator.host_rules import rule_table
from rancherctl.ingress.request import Request
from rancherctl.ingress.role import desired
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.certificates import TlsPolicy
from rancherctl.kube.objects import TlsSecret
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import COPIES
from tests.fakes import ingress as fake
from tests.fakes import mtls, tls
from tests.fakes.ingress_client import FORGER, PROXY, Seen, send_all
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.ports import free_port

HOSTS = ["", "a.com", "b.a.com", "*.a.com", "c.b.a.com", "*.b.a.com", "a.com", "*.a.com"]
ASKED = ["a.com", "www.a.com", "B.a.com", "www.b.a.com", "x.a.com", "c.b.a.com:80", "y.b.a.com", "z.org", "com"]
ASKED += ["a.com.", ".a.com"]
PARTS = st.lists(st.sampled_from(["a", "ab", "b", "B", "%61", ""]), max_size=3)
REQUESTED = st.one_of(
    st.builds(
        lambda parts, end: "/" + "/".join(parts) + end, PARTS, st.sampled_from(["", "", "", "/", "?", "?q=/a/b", "/?x"])
    ),
    st.sampled_from(["/", "/.well-known/acme-challenge/x", "/.well-known/acme-challenge"]),
)
PATHS = REQUESTED.map(lambda path: path.partition("?")[0])
PODS = ["p1", "p2", "p3"]
EMPTY = "empty"
"""A Service without endpoints."""
NAMESPACES = ["default", "other"]
BACKENDS = st.sampled_from([*(f"{p}:80" for p in PODS), f"{EMPTY}:80", ""])
RULE = st.one_of(
    st.tuples(st.sampled_from(HOSTS), st.sampled_from(["Exact", "Prefix", "ImplementationSpecific"]), PATHS, BACKENDS),
    st.tuples(st.sampled_from(HOSTS), st.just("Prefix"), st.just("/"), BACKENDS),
)
OPTIONS: list[dict[str, str]] = [
    {},
    {"body-size": "3"},
    {"body-size": "3"},
    {"redirect": "https://new.org/x", "redirect-code": "308"},
    {"app-root": "/a", "allow-source": "127.0.0.2", "body-size": "10"},
    {"cors-origins": "https://z.org"},
    {"cors-origins": "https://*.org", "body-size": "3", "www-redirect": "from-www"},
    {"www-redirect": "from-www", "deny-source": "127.0.0.2", "aliases": "z.org, *.a.com"},
    {"allow-source": "127.0.0.x"},
    {"aliases": "com b.a.com"},
    {"client-ca": "ca"},
    {"client-ca": "ca", "client-verify": "optional", "www-redirect": "from-www"},
    {"client-ca": "cb", "body-size": "3"},
    {"client-ca": "missing"},
    {"http2": "false", "ssl-redirect": "false"},
    {"ssl-redirect": "true", "ssl-redirect-code": "301"},
    {"ssl-redirect-code": "307", "www-redirect": "from-www"},
    {"allow.http": "false", "www-redirect": "from-www"},
    {"http.port": "{own_http}", "https.port": "{own_https}", "www-redirect": "from-www"},
    {"https.port": "{own_https}", "aliases": "z.org"},
]
"""Authorities of clients are in the namespace default only; in the other one they are missing."""
SECRETS = ["sa", "sb", "sc"]
TLS_ENTRY = st.tuples(
    st.sampled_from([*SECRETS, *SECRETS, ""]),
    st.one_of(st.just([]), st.lists(st.sampled_from([*HOSTS[1:], "x.a.com", "z.org", "www.a.com"]), max_size=3)),
)
INGRESS = st.tuples(
    st.lists(RULE, max_size=5),
    st.sampled_from(["", "p1:80", "p2:80"]),
    st.sampled_from(OPTIONS),
    st.lists(TLS_ENTRY, max_size=2),
    st.sampled_from(NAMESPACES),
)
PAIRS = ["first", "second", "rsa", "unusable"]
SOURCES = [f"{namespace}/{secret}" for namespace in NAMESPACES for secret in SECRETS]
CONTENTS = st.fixed_dictionaries({source: st.sampled_from([*PAIRS, *PAIRS[:3], ""]) for source in SOURCES})
"""What is in each secret; "" = it does not exist."""
CLUSTER = st.tuples(st.lists(INGRESS, min_size=1, max_size=4), CONTENTS)
Drawn = tuple[list[Any], dict[str, str]]
POLICIES = [TlsPolicy(), TlsPolicy(), TlsPolicy(redirect=False), TlsPolicy("default/sc")]
HTTP, HTTPS, OWN_HTTP, OWN_HTTPS = 80, 443, 81, 444
"""Ports of drawn requests; HAProxy listens on others. The last two are those of annotations."""


def _request(
    host: str, target: str, client: str, proto: str, sni: str, length: int | None, port: int, shown: str, asks: bool
) -> Request:
    sni = {"host": host.partition(":")[0], "none": ""}.get(sni, sni).removeprefix(".")
    method = "OPTIONS" if asks else "GET" if length is None else "POST"
    if port in {HTTPS, OWN_HTTPS}:
        return Request(host, target, method, client, "https", port, sni, length, shown, proto, asks)
    return Request(host, target, method, client, "http", port, "", length, "", proto, asks)


REQUEST = st.builds(
    _request,
    st.sampled_from(ASKED),
    REQUESTED,
    st.sampled_from(["127.0.0.1", FORGER]),
    st.sampled_from(["", "", "", "", "http", "https"]),
    st.sampled_from(["host", "host", "host", "none", "x.a.com", "b.a.com", "a.com"]),
    st.sampled_from([None, None, 3, 4, 11]),
    st.sampled_from([HTTP, HTTP, HTTPS, HTTPS, OWN_HTTP, OWN_HTTPS]),
    st.sampled_from(["", *mtls.PAIRS]),
    st.sampled_from([False, False, False, False, True]),
)
KEEP = fake.ingress("keep", [("keep.org", "Exact", "/", "p1:80")], created="2020-01-01T00:00:00Z")
"""An Ingress that always exists: without any, HAProxy would not listen."""


def _ingresses(drawn: Drawn, ports: Mapping[str, int]) -> list[Any]:
    return [
        KEEP,
        *(
            fake.ingress(
                f"i{n}",
                rules,
                namespace=namespace,
                default=default,
                annotations={INGRESS_PREFIX + name: text.format(**ports) for name, text in options.items()},
                created=f"2026-01-0{n + 1}T00:00:00Z",
                version=repr(drawn),
                tls=entries,
            )
            for n, (rules, default, options, entries, namespace) in enumerate(drawn[0])
        ),
    ]


class Certificates:
    """Pairs by name; ``der`` is what clients see of a content."""

    def __init__(self) -> None:
        authority = tls.Authority()
        first, second = authority.issue("a.com"), authority.issue("b.com")
        rsa = authority.issue("a.com", key=tls.rsa_key())
        self.pairs = {"first": first, "second": second, "rsa": rsa, "unusable": replace(first, key=second.key)}
        contents = {name: copies.copied(pair.secret(name)).content for name, pair in self.pairs.items()}
        self.der = {
            contents[name]: ssl.PEM_cert_to_DER_cert(pair.certificate.decode()) for name, pair in self.pairs.items()
        }

    def copies(self, drawn: Drawn) -> list[TlsSecret]:
        made = []
        for source, name in drawn[1].items():
            if not name:
                continue
            namespace, _, secret = source.partition("/")
            made.append(self.pairs[name].copy(secret, namespace, version=name))
        return made


@dataclass
class Cluster:
    """One host that serves all Ingresses."""

    host: LoadBalancerHost
    certificates: Certificates = field(default_factory=Certificates)
    policy: TlsPolicy = POLICIES[0]
    own: dict[str, int] = field(default_factory=lambda: {k: free_port() for k in ("own_http", "own_https")})

    def restart(self, policy: TlsPolicy, *, forget: bool = False) -> None:
        """Restart the agent; without its state file it builds the next configuration from nothing."""
        if forget:
            Path(self.host.role.store.path).unlink()
        self.policy = policy
        proxies = Proxies(trusted=(f"{PROXY}/32",))
        role = self.host.new_role(self.host.haproxy.all_listeners, tls=policy, proxies=proxies)
        role.secrets.trusting = False  # OpenSSL judges: HAProxy would have to fail once for each refused certificate

    def snapshot(self, drawn: Drawn) -> Snapshot:
        services = [fake.service(name, namespace=ns) for ns in NAMESPACES for name in (*PODS, EMPTY)]
        slices = [
            fake.endpoint_slice(name, [self.host.pod(f"{ns}/{name}").endpoint], namespace=ns)
            for ns in NAMESPACES
            for name in PODS
        ]
        authorities = [mtls.ca_copy(name, authority) for name, authority in mtls.AUTHORITIES.items()]
        copied = [*self.certificates.copies(drawn), *authorities]
        return fake.snapshot(_ingresses(drawn, self.own), services, slices, copies=copied)

    def reconcile(self, drawn: Drawn, seconds: float = 1.0) -> None:
        self.host.now += seconds
        assert self.host.role.reconcile(self.snapshot(drawn))["alarm"] == ""

    def settle(self, drawn: Drawn) -> None:
        """Let what leaves and certificates of deleted secrets go."""
        self.reconcile(drawn)
        self.reconcile(drawn, 61.0)

    def rules(self, drawn: Drawn) -> tuple[RuleTable, desired.Desired]:
        """The rules, made from the objects alone and from what the host has of each secret."""
        snapshot = self.snapshot(drawn)
        ingresses, classes, services, slices = (
            snapshot.table(t).items for t in ("ingresses", "ingressclasses", "services", "endpointslices")
        )
        tables = desired.Tables(
            ingresses,
            classes,
            services,
            slices,
            secrets={
                **self.host.role.secrets.states(snapshot.table(COPIES)),
                **self.host.role.authorities.states(snapshot.table(COPIES)),
            },
        )
        local = desired.LocalHost("h1", self.host.haproxy.all_listeners, tls=self.policy)
        built = desired.build(tables, fake.roster("h1"), desired.Previous(()), TranslationCache(), local, 0.0)
        return rule_table(built), built

    def check(self, drawn: Drawn, drawn_requests: list[Request], when: str) -> None:
        table, built = self.rules(drawn)
        ports = {HTTP: self.host.haproxy.port, HTTPS: self.host.haproxy.https_port}
        ports |= {OWN_HTTP: self.own["own_http"], OWN_HTTPS: self.own["own_https"]}
        every = [replace(r, port=ports[r.port]) for r in drawn_requests]
        # An earlier process may still accept connections on a port that is not in use any more.
        requests = [r for r in every if table.listener(r)]
        expected = [self._expected(table, built, r) for r in requests]
        for name, second in (("HTTP/1.1", False), ("HTTP/2", True)):
            seen = send_all(requests, second_version=second)
            wrong = [
                (request, said, found)
                for request, (said, certificates), found in zip(requests, expected, seen, strict=True)
                if found._replace(certificate=b"") != said or found.certificate not in certificates
            ]
            assert wrong == [], (when, name)

    def _expected(self, table: RuleTable, built: desired.Desired, r: Request) -> tuple[Seen, set[bytes]]:
        """What a client may see, and which certificates."""

        def servers(route: Route) -> int:
            return len(built.host.model.servers_of(route))

        found = table.answer(r, servers)
        backend = found.match.route.backend if found.match.route else None
        name = f"{backend.namespace}/{backend.service}" if found.kind == "forwarded" and backend else found.kind
        shown = found.certificate.contents if found.certificate else ()
        return Seen(name, found.status, found.location), {self.certificates.der[c] for c in shown} or {b""}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    host = LoadBalancerHost(fake.Haproxy(tmp_path_factory.mktemp("haproxy")))
    yield Cluster(host)
    host.close()


def _check(cluster: Cluster, policy: TlsPolicy, clusters: list[Drawn], requests: list[Request]) -> None:
    """After a random sequence of changes while it runs, after a reload, and with a configuration built from nothing."""
    cluster.restart(policy)
    for drawn in clusters:
        cluster.reconcile(drawn)
    last = clusters[-1]
    cluster.settle(last)
    cluster.check(last, requests, "after changes at run time")
    cluster.host.reload()
    cluster.check(last, requests, "after a reload")
    cluster.restart(policy, forget=True)
    cluster.settle(last)
    cluster.check(last, requests, "built from nothing")


def _examples(number: int, requests: int) -> Any:
    """Decorator: so many random clusters with so many requests each."""
    few = settings(
        max_examples=number,
        phases=[__import__("hypothesis").Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    drawn = given(
        st.sampled_from(POLICIES),
        st.lists(CLUSTER, min_size=1, max_size=3),
        st.lists(REQUEST, min_size=requests, max_size=requests),
    )
    return lambda test: few(drawn(test))


@_examples(15, 20)
def test_haproxy_answers_as_the_matcher_says(
    cluster: Cluster, pods_on_loopback: None, policy: TlsPolicy, clusters: list[Drawn], requests: list[Request]
) -> None:
    _check(cluster, policy, clusters, requests)


@pytest.mark.slow
@_examples(200, 50)
def test_haproxy_answers_10000_requests_as_the_matcher_says(
    cluster: Cluster, pods_on_loopback: None, policy: TlsPolicy, clusters: list[Drawn], requests: list[Request]
) -> None:
    _check(cluster, policy, clusters, requests)
