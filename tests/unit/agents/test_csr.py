"""Certificate requests: a host gets its own name certified and nothing else. Requests are made by the real openssl, by others and by forgers."""

import base64
import contextlib
import copy
import ipaddress
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AttributeOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.agents import config, csr, pkcs10
from rancherctl.agents.controllers.certificate_requests import MAX_DECISIONS, CertificateRequestController
from rancherctl.agents.install import CONTROLLER_PATH, host_resources
from rancherctl.environments.inventory import load
from rancherctl.hosts.model import File
from rancherctl.kube.certificate_requests import CertificateRequest, certificate_request
from rancherctl.kube.client import NODES as NODES_RESOURCE
from rancherctl.kube.client import InvalidObjectError
from rancherctl.kube.objects import Meta, Node

NODES = {"h1": Node(Meta("", "h1"), (("InternalIP", "10.77.0.11"), ("Hostname", "h1")), (), True, False)}
SERVICES = "10.43.0.0/16"
SERVING_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})


def content(tmp_path: Path, subject: str, names: str = "") -> pkcs10.Content:
    words = [
        "openssl",
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        str(tmp_path / "key"),
        "-subj",
        subject,
    ]
    words += ["-addext", f"subjectAltName={names}"] if names else []
    pem = subprocess.run(words, check=True, capture_output=True).stdout
    return pkcs10.parse(pem.decode())


def request(signer: str, username: str, group: str, usages: frozenset[str]) -> CertificateRequest:
    return CertificateRequest(
        Meta("", "csr-1"), signer, username, (group, "system:authenticated"), usages, "", pending=True
    )


KUBELET = request(csr.SERVING, "system:node:h1", csr.NODE_GROUP, SERVING_USAGES)
AGENT = request(csr.CLIENT, "rancherctl:agent:h1", csr.AGENT_GROUP, frozenset({"digital signature", "client auth"}))


def test_a_kubelet_gets_its_own_names(tmp_path: Path) -> None:
    asked = content(tmp_path, "/O=system:nodes/CN=system:node:h1", "DNS:h1,IP:10.77.0.11")
    assert asked.dns == {"h1"}
    assert asked.ips == {"10.77.0.11"}
    assert asked.organizations == ("system:nodes",)
    assert not asked.other_names
    assert csr.judge(KUBELET, asked, NODES, SERVICES).answer == "approve"


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("/O=system:nodes/CN=system:node:h2", "DNS:h1"),
        ("/O=system:masters/CN=system:node:h1", "DNS:h1"),
        ("/O=system:nodes/O=system:masters/CN=system:node:h1", "DNS:h1"),
        ("/O=system:nodes/CN=system:node:h1", "DNS:h1,DNS:h2"),
        ("/O=system:nodes/CN=system:node:h1", "IP:10.77.0.12"),
        ("/O=system:nodes/CN=system:node:h1", "DNS:h1,URI:https://h1"),
        ("/O=system:nodes/CN=system:node:h1", ""),
    ],
)
def test_anything_foreign_is_denied(tmp_path: Path, subject: str, names: str) -> None:
    assert csr.judge(KUBELET, content(tmp_path, subject, names), NODES, SERVICES).answer == "deny"


def test_a_kubelet_without_a_node_waits(tmp_path: Path) -> None:
    assert (
        csr.judge(KUBELET, content(tmp_path, "/O=system:nodes/CN=system:node:h1", "DNS:h1"), {}, SERVICES).answer
        == "ignore"
    )


def test_client_usage_on_the_serving_signer_is_denied(tmp_path: Path) -> None:
    asked = content(tmp_path, "/O=system:nodes/CN=system:node:h1", "DNS:h1")
    wrong = request(csr.SERVING, "system:node:h1", csr.NODE_GROUP, SERVING_USAGES | {"client auth"})
    assert csr.judge(wrong, asked, NODES, SERVICES).answer == "deny"


def test_an_agent_renews_itself_only(tmp_path: Path) -> None:
    assert (
        csr.judge(AGENT, content(tmp_path, "/O=rancherctl:agents/CN=rancherctl:agent:h1"), NODES, SERVICES).answer
        == "approve"
    )
    for subject in (
        "/O=rancherctl:agents/CN=rancherctl:agent:h2",
        "/O=system:masters/CN=rancherctl:agent:h1",
        "/CN=rancherctl:controller",
    ):
        assert csr.judge(AGENT, content(tmp_path, subject), NODES, SERVICES).answer == "deny"


def test_an_agent_renews_its_hosts_kube_proxy(tmp_path: Path) -> None:
    ruling = csr.judge(AGENT, content(tmp_path, "/CN=system:kube-proxy"), NODES, SERVICES)
    assert ruling == csr.Ruling("approve", "renewal of kube-proxy by rancherctl:agent:h1")
    for subject, names in (
        ("/O=system:masters/CN=system:kube-proxy", ""),
        ("/CN=system:kube-proxy", "DNS:h1"),
        ("/CN=system:kube-scheduler", ""),
    ):
        assert csr.judge(AGENT, content(tmp_path, subject, names), NODES, SERVICES).answer == "deny"
    stranger = request(csr.CLIENT, "rancherctl:agent:h1", "somebody", AGENT.usages)
    assert csr.judge(stranger, content(tmp_path, "/CN=system:kube-proxy"), NODES, SERVICES).answer == "deny"


@pytest.mark.parametrize("subject", ["/O=rancherctl:agents/CN=rancherctl:agent:h1", "/CN=system:kube-proxy"])
def test_a_host_that_left_renews_nothing(tmp_path: Path, subject: str) -> None:
    """Certificates cannot be called back: at their end it must be over. A Node that is only made anew is waited for."""
    others = {"h2": Node(Meta("", "h2"), (), (), True, False)}
    assert csr.judge(AGENT, content(tmp_path, subject), others, SERVICES).answer == "ignore"


def test_requests_of_others_are_left_alone(tmp_path: Path) -> None:
    asked = content(tmp_path, "/O=x/CN=someone")
    other = request(csr.CLIENT, "someone", "x", frozenset({"client auth"}))
    assert csr.judge(other, asked, NODES, SERVICES).answer == "ignore"
    foreign = request("example.com/signer", "system:node:h1", csr.NODE_GROUP, SERVING_USAGES)
    assert csr.judge(foreign, asked, NODES, SERVICES).answer == "ignore"


def made(
    names: list[x509.GeneralName],
    *,
    password: bytes = b"",
    subject: tuple[str, ...] = ("system:node:h1",),
    group: str = csr.NODE_GROUP,
) -> str:
    """A request of a maker who writes what he likes."""
    parts = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, group),
        *(x509.NameAttribute(NameOID.COMMON_NAME, name) for name in subject),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if password:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, password)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


KEY = ec.generate_private_key(ec.SECP256R1())
API = [x509.DNSName("kubernetes.default.svc"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def test_words_that_look_like_names_do_not_hide_the_real_names() -> None:
    """Texts for people show a password as it is, line breaks included: what stands in it must not be taken for the names that are asked for."""
    fake = b"x\n            X509v3 Subject Alternative Name: \n                DNS:h1\n"
    asked = pkcs10.parse(made(API, password=fake))
    assert (asked.dns, asked.ips) == ({"kubernetes.default.svc"}, {"127.0.0.1"})
    assert csr.judge(KUBELET, asked, NODES, SERVICES).answer == "deny"
    two = pkcs10.parse(made([x509.DNSName("h1\nx"), *API]))
    assert two.dns == {"h1\nx", "kubernetes.default.svc"}


def test_of_two_common_names_none_is_taken() -> None:
    """Who reads the certificate takes the last one, and would take an agent for the controller manager."""
    asked = pkcs10.parse(
        made([], subject=("rancherctl:agent:h1", "system:kube-controller-manager"), group=csr.AGENT_GROUP)
    )
    assert csr.judge(AGENT, asked, NODES, SERVICES).answer == "deny"
    asked = pkcs10.parse(made([x509.DNSName("h1")], subject=("system:node:h1", "system:node:h2")))
    assert csr.judge(KUBELET, asked, NODES, SERVICES).answer == "deny"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "10.43.0.1", "10.77.0.12", "104.154.107.202", "169.254.20.10", "0.0.0.0", "fd00::12"),
        *("::ffff:10.43.0.1", "::ffff:10.77.0.12", "::ffff:127.0.0.1", "::ffff:104.154.107.202"),
    ],
)
def test_a_host_that_claims_the_addresses_of_others_gets_no_certificate_for_them(address: str) -> None:
    """A kubelet writes its Node's addresses itself; with such a certificate it could play the API server."""
    other = Node(
        Meta("", "h2", annotations={"rancherctl.io/public-address": "104.154.107.202"}),
        (("InternalIP", "10.77.0.12"),),
        (),
        True,
        False,
    )
    six = Node(Meta("", "h3"), (("InternalIP", "FD00::0012"),), (), True, False)
    liar = Node(Meta("", "h1"), (("InternalIP", address), ("Hostname", "kubernetes.default.svc")), (), True, False)
    nodes = {"h1": liar, "h2": other, "h3": six}
    for names in (
        [x509.IPAddress(ipaddress.ip_address(address))],
        [x509.DNSName("kubernetes.default.svc")],
        [x509.DNSName(address)],
    ):
        assert csr.judge(KUBELET, pkcs10.parse(made(names)), nodes, SERVICES).answer == "deny"
    assert csr.judge(KUBELET, pkcs10.parse(made([x509.DNSName("h1")])), nodes, SERVICES).answer == "approve"


def test_addresses_that_the_environment_gave_to_others_are_theirs_without_any_node() -> None:
    """That of a load balancer before the API is no Node's, and that of a host may have no Node (yet): a worker must not play the API there."""
    claimed = ("10.77.0.11", "192.0.2.10", "2001:DB8::10", "10.77.0.13", "10.77.0.14")
    liar = Node(Meta("", "h1"), tuple(("InternalIP", a) for a in claimed), (), True, False)
    owners = {"10.77.0.11": "h1", "192.0.2.10": "", "2001:db8::10": "", "10.77.0.13": "h3", "::ffff:10.77.0.14": ""}

    def verdict(address: str) -> str:
        asked = pkcs10.parse(made([x509.DNSName("h1"), x509.IPAddress(ipaddress.ip_address(address))]))
        return csr.judge(KUBELET, asked, {"h1": liar}, SERVICES, owners).answer

    assert verdict("10.77.0.11") == "approve"
    thief = Node(Meta("", "h2"), (("InternalIP", "10.77.0.11"),), (), True, False)
    asked = pkcs10.parse(made([x509.IPAddress(ipaddress.ip_address("10.77.0.11"))]))
    assert csr.judge(KUBELET, asked, {"h1": liar, "h2": thief}, SERVICES, owners).answer == "approve", (
        "another's claim takes nothing from its owner"
    )
    assert [verdict(a) for a in ("192.0.2.10", "2001:db8::10", "10.77.0.13", "10.77.0.14")] == ["deny"] * 4


def test_the_controller_is_told_whose_addresses_are_whose() -> None:
    text = """
    metadata: {name: demo}
    spec:
      api: {address: 192.0.2.10, extraSANs: [api.example.org, '2001:DB8::10', 10.0.0.11]}
      hosts:
      - {name: h1, address: 10.0.0.11, publicAddress: 198.51.100.1, roles: [etcd, controlplane]}
      - {name: h2, address: 10.0.0.12, roles: [worker]}
    """
    environment = load(text).environment
    files = {r.path: r for r in host_resources(environment, environment.hosts[0]) if isinstance(r, File)}
    told = dict(config.parse(json.loads(files[CONTROLLER_PATH].content)).owners)
    hosts = {"10.0.0.11": "h1", "198.51.100.1": "h1", "10.0.0.12": "h2"}
    assert told == {"192.0.2.10": "", "2001:db8::10": "", "127.0.0.1": "", "10.43.0.1": "", **hosts}
    assert config.parse(json.loads(files[str(config.PATH)].content)).owners == ()


FROM_GO = """\
-----BEGIN CERTIFICATE REQUEST-----
MIIBIzCBygIBADAwMRUwEwYDVQQKEwxzeXN0ZW06bm9kZXMxFzAVBgNVBAMTDnN5
c3RlbTpub2RlOmgxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEypH2GVw04LCD
OcYw31w47mqGsZFjhP2lA/AR7+nfs6ylv1sEE/Nh1Ri18TgznTlfmvgNjceQA3XZ
uFJmICV1BKA4MDYGCSqGSIb3DQEJDjEpMCcwJQYDVR0RBB4wHIICaDGHBApNAAuH
EP0AAAAAAAAAAAAAAAAAABEwCgYIKoZIzj0EAwIDSAAwRQIgTkWsLvEpfHFuAR/O
xsxeGf0r+PYhrf8nAYoBSia70d8CIQD/MznHg1DcH8ZzvDvs83aKS7Wg5br/lGER
YSNvUapbIA==
-----END CERTIFICATE REQUEST-----
"""


def test_a_request_as_kubelets_make_it_is_approved() -> None:
    """By Go's crypto/x509, as client-go's certificate manager calls it."""
    asked = pkcs10.parse(FROM_GO)
    assert asked == pkcs10.Content(
        "system:node:h1", ("system:nodes",), frozenset({"h1"}), frozenset({"10.77.0.11", "fd00::11"})
    )
    node = Node(
        Meta("", "h1"), (("InternalIP", "10.77.0.11"), ("InternalIP", "fd00::11"), ("Hostname", "h1")), (), True, False
    )
    assert csr.judge(KUBELET, asked, {"h1": node}, SERVICES).answer == "approve"


def test_a_host_with_two_families_gets_both_addresses() -> None:
    node = Node(
        Meta("", "h1"),
        (("InternalIP", "10.77.0.11"), ("InternalIP", "FD00:0::0011"), ("Hostname", "h1")),
        (),
        True,
        False,
    )
    names = [x509.DNSName("h1"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in ("10.77.0.11", "fd00::11"))]
    assert csr.judge(KUBELET, pkcs10.parse(made(names)), {"h1": node}, SERVICES).answer == "approve"


def test_other_kinds_of_names_and_damage() -> None:
    assert pkcs10.parse(made([x509.DNSName("h1"), x509.RFC822Name("a@b.c")])).other_names
    good = made([x509.DNSName("h1")])
    headers = good.replace("\n", "\nProc-Type: 4\n", 1)
    for bad in ("", good + good, headers, good.replace("CERTIFICATE REQUEST", "CERTIFICATE"), good[:80] + good[120:]):
        with pytest.raises(ValueError):
            pkcs10.parse(bad)


WHOLE = x509.load_pem_x509_csr(made([x509.DNSName("h1")]).encode()).public_bytes(serialization.Encoding.DER)


@given(st.data())
def test_any_bytes_are_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(0, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(der[: data.draw(st.integers(0, len(der)))])
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{base64.encodebytes(cut).decode()}-----END CERTIFICATE REQUEST-----\n"
    with contextlib.suppress(ValueError):
        asked = pkcs10.parse(pem)
        seen = x509.load_der_x509_csr(cut)
        assert asked.dns <= {n.value for e in seen.extensions for n in e.value if isinstance(n, x509.DNSName)}


class Leading:
    leading = True


class Api:
    """Certificate requests as they are stored; ``broken`` names cannot be written."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.stored = {b["metadata"]["name"]: b for b in bodies}
        self.broken: set[str] = set()
        self.node: dict[str, Any] = {
            "metadata": {"name": "h1"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.77.0.11"}]},
        }

    def get(self, resource: object, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.node if resource is NODES_RESOURCE else self.stored[name])

    def replace(self, _: object, body: dict[str, Any], *, subresource: str) -> dict[str, Any]:
        assert subresource == "approval"
        name = body["metadata"]["name"]
        kinds = [c["type"] for c in body["status"]["conditions"]]
        if name in self.broken or len(kinds) != 1:
            raise InvalidObjectError(f"{name}: {kinds}")
        self.stored[name] = body
        return body

    def conditions(self, name: str) -> list[str]:
        return [c["type"] for c in (self.stored[name].get("status") or {}).get("conditions", ())]


def stored(name: str, pem: str, *, uid: str = "1", username: str = "system:node:h1") -> dict[str, Any]:
    spec = {
        "signerName": csr.SERVING,
        "username": username,
        "groups": [csr.NODE_GROUP],
        "usages": sorted(SERVING_USAGES),
    }
    return {"metadata": {"name": name, "uid": uid}, "spec": spec | {"request": base64.b64encode(pem.encode()).decode()}}


def decide(api: Api, seen: list[dict[str, Any]]) -> int:
    requests = {b["metadata"]["name"]: certificate_request(b) for b in seen}
    return CertificateRequestController(api, Leading(), SERVICES).decide(requests, NODES)  # type: ignore[arg-type]


def test_requests_are_decided_once_and_those_of_others_never() -> None:
    good, bad, foreign = (
        stored("good", made([x509.DNSName("h1")])),
        stored("bad", made(API)),
        stored("foreign", "torn", username="someone"),
    )
    torn = stored("torn", "torn")
    api = Api(good, bad, foreign, torn)
    every = [copy.deepcopy(b) for b in api.stored.values()]
    assert decide(api, every) == 3
    assert [api.conditions(n) for n in ("good", "bad", "foreign", "torn")] == [["Approved"], ["Denied"], [], ["Denied"]]
    assert decide(api, every) == 0, "the watch is late: what is decided already is left alone"


def test_a_kubelet_that_has_just_got_another_address_is_not_denied_because_the_watch_is_late() -> None:
    asked = [x509.IPAddress(ipaddress.ip_address("10.77.0.99"))]
    api = Api(stored("late", made(asked)))
    api.node["status"]["addresses"][0]["address"] = "10.77.0.99"
    assert decide(api, list(api.stored.values())) == 1
    assert api.conditions("late") == ["Approved"]
    api = Api(stored("foreign", made(asked)))
    assert decide(api, list(api.stored.values())) == 1
    assert api.conditions("foreign") == ["Denied"]


def test_a_request_that_took_the_name_of_another_is_not_approved_in_its_place() -> None:
    api = Api(stored("x", made(API), uid="2"))
    assert decide(api, [stored("x", made([x509.DNSName("h1")]), uid="1")]) == 0
    assert api.conditions("x") == []


def test_one_that_cannot_be_written_does_not_hold_up_the_others() -> None:
    every = [stored(n, made([x509.DNSName("h1")])) for n in ("a", "b", "c")]
    api = Api(*copy.deepcopy(every))
    api.broken.add("a")
    with pytest.raises(InvalidObjectError):
        decide(api, every)
    assert [api.conditions(n) for n in "abc"] == [[], ["Approved"], ["Approved"]]


def test_thousands_are_decided_in_parts() -> None:
    """Each costs two round trips, and the same thread sees whether a host died."""
    every = [stored(f"r{n}", "torn") for n in range(2 * MAX_DECISIONS + 1)]
    api = Api(*copy.deepcopy(every))
    assert [decide(api, list(api.stored.values())) for _ in range(4)] == [MAX_DECISIONS, MAX_DECISIONS, 1, 0]


def test_a_decided_request_is_not_pending() -> None:
    body = {
        "metadata": {"name": "x"},
        "spec": {"request": "", "signerName": csr.SERVING},
        "status": {"conditions": [{"type": "Denied"}]},
    }
    assert not certificate_request(body).pending
    del body["status"]
    assert certificate_request(body).pending
