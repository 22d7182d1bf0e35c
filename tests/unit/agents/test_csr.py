"""Decisions on certificate requests: a host gets its own names certified and nothing else."""

import ipaddress
import json

import pytest
from cryptography import x509

from rancherctl.agents import config, csr, pkcs10
from rancherctl.agents.install import CONTROLLER_PATH, host_resources
from rancherctl.contract import AGENT_GROUP
from rancherctl.environments.inventory import load
from rancherctl.hosts.model import File
from rancherctl.kube.certificate_requests import CertificateRequest
from rancherctl.kube.objects import Meta, Node
from tests.fakes.certificate_requests import API_NAMES, FROM_GO, content, request_pem

NODES = {"h1": Node(Meta("", "h1"), (("InternalIP", "10.77.0.11"), ("Hostname", "h1")), (), True, False)}
SERVICES = "10.43.0.0/16"
SERVING_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})


def request(signer: str, username: str, group: str, usages: frozenset[str]) -> CertificateRequest:
    return CertificateRequest(
        Meta("", "csr-1"), signer, username, (group, "system:authenticated"), usages, "", pending=True
    )


KUBELET = request(csr.SERVING, "system:node:h1", csr.NODE_GROUP, SERVING_USAGES)
AGENT = request(csr.CLIENT, "rancherctl:agent:h1", AGENT_GROUP, frozenset({"digital signature", "client auth"}))


def test_a_kubelet_gets_a_certificate_for_its_own_names() -> None:
    asked = content("/O=system:nodes/CN=system:node:h1", "DNS:h1,IP:10.77.0.11")
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
def test_a_kubelet_that_requests_foreign_names_is_denied(subject: str, names: str) -> None:
    assert csr.judge(KUBELET, content(subject, names), NODES, SERVICES).answer == "deny"


def test_a_kubelet_without_a_node_is_neither_approved_nor_denied() -> None:
    assert csr.judge(KUBELET, content("/O=system:nodes/CN=system:node:h1", "DNS:h1"), {}, SERVICES).answer == "ignore"


def test_client_usage_on_the_serving_signer_is_denied() -> None:
    asked = content("/O=system:nodes/CN=system:node:h1", "DNS:h1")
    wrong = request(csr.SERVING, "system:node:h1", csr.NODE_GROUP, SERVING_USAGES | {"client auth"})
    assert csr.judge(wrong, asked, NODES, SERVICES).answer == "deny"


def test_an_agent_renews_only_its_own_certificate() -> None:
    assert csr.judge(AGENT, content("/O=rancherctl:agents/CN=rancherctl:agent:h1"), NODES, SERVICES).answer == "approve"
    for subject in (
        "/O=rancherctl:agents/CN=rancherctl:agent:h2",
        "/O=system:masters/CN=rancherctl:agent:h1",
        "/CN=rancherctl:controller",
    ):
        assert csr.judge(AGENT, content(subject), NODES, SERVICES).answer == "deny"


def test_an_agent_renews_its_hosts_kube_proxy() -> None:
    ruling = csr.judge(AGENT, content("/CN=system:kube-proxy"), NODES, SERVICES)
    assert ruling == csr.Ruling("approve", "renewal of kube-proxy by rancherctl:agent:h1")
    for subject, names in (
        ("/O=system:masters/CN=system:kube-proxy", ""),
        ("/CN=system:kube-proxy", "DNS:h1"),
        ("/CN=system:kube-scheduler", ""),
    ):
        assert csr.judge(AGENT, content(subject, names), NODES, SERVICES).answer == "deny"
    stranger = request(csr.CLIENT, "rancherctl:agent:h1", "some-group", AGENT.usages)
    assert csr.judge(stranger, content("/CN=system:kube-proxy"), NODES, SERVICES).answer == "deny"


@pytest.mark.parametrize("subject", ["/O=rancherctl:agents/CN=rancherctl:agent:h1", "/CN=system:kube-proxy"])
def test_a_host_without_a_node_renews_nothing(subject: str) -> None:
    """Certificates cannot be revoked, so renewals end. A Node that registers again is waited for."""
    others = {"h2": Node(Meta("", "h2"), (), (), True, False)}
    assert csr.judge(AGENT, content(subject), others, SERVICES).answer == "ignore"


def test_requests_of_other_users_and_signers_are_ignored() -> None:
    asked = content("/O=x/CN=someone")
    other = request(csr.CLIENT, "someone", "x", frozenset({"client auth"}))
    assert csr.judge(other, asked, NODES, SERVICES).answer == "ignore"
    foreign = request("example.com/signer", "system:node:h1", csr.NODE_GROUP, SERVING_USAGES)
    assert csr.judge(foreign, asked, NODES, SERVICES).answer == "ignore"


def test_a_request_with_two_common_names_is_denied() -> None:
    """Clients use the last one, and would treat an agent as the controller manager."""
    asked = pkcs10.parse(
        request_pem([], subject=("rancherctl:agent:h1", "system:kube-controller-manager"), group=AGENT_GROUP)
    )
    assert csr.judge(AGENT, asked, NODES, SERVICES).answer == "deny"
    asked = pkcs10.parse(request_pem([x509.DNSName("h1")], subject=("system:node:h1", "system:node:h2")))
    assert csr.judge(KUBELET, asked, NODES, SERVICES).answer == "deny"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "10.43.0.1", "10.77.0.12", "104.154.107.202", "169.254.20.10", "0.0.0.0", "fd00::12"),
        *("::ffff:10.43.0.1", "::ffff:10.77.0.12", "::ffff:127.0.0.1", "::ffff:104.154.107.202"),
    ],
)
def test_a_host_that_claims_a_foreign_address_gets_no_certificate_for_it(address: str) -> None:
    """A kubelet writes its Node's addresses itself; such a certificate would let it impersonate the API."""
    other = Node(
        Meta("", "h2", annotations={"rancherctl.io/public-address": "104.154.107.202"}),
        (("InternalIP", "10.77.0.12"),),
        (),
        True,
        False,
    )
    six = Node(Meta("", "h3"), (("InternalIP", "FD00::0012"),), (), True, False)
    claimant = Node(Meta("", "h1"), (("InternalIP", address), ("Hostname", "kubernetes.default.svc")), (), True, False)
    nodes = {"h1": claimant, "h2": other, "h3": six}
    for name in (
        x509.IPAddress(ipaddress.ip_address(address)),
        x509.DNSName("kubernetes.default.svc"),
        x509.DNSName(address),
    ):
        assert csr.judge(KUBELET, pkcs10.parse(request_pem([name])), nodes, SERVICES).answer == "deny"
    assert csr.judge(KUBELET, pkcs10.parse(request_pem([x509.DNSName("h1")])), nodes, SERVICES).answer == "approve"


def test_addresses_of_the_environment_file_belong_to_their_host_even_without_a_node() -> None:
    """A load balancer before the API has no Node: a worker must not impersonate the API there."""
    claimed = ("10.77.0.11", "192.0.2.10", "2001:DB8::10", "10.77.0.13", "10.77.0.14")
    claimant = Node(Meta("", "h1"), tuple(("InternalIP", a) for a in claimed), (), True, False)
    owners = {"10.77.0.11": "h1", "192.0.2.10": "", "2001:db8::10": "", "10.77.0.13": "h3", "::ffff:10.77.0.14": ""}

    def verdict(address: str) -> str:
        asked = pkcs10.parse(request_pem([x509.DNSName("h1"), x509.IPAddress(ipaddress.ip_address(address))]))
        return csr.judge(KUBELET, asked, {"h1": claimant}, SERVICES, owners).answer

    assert verdict("10.77.0.11") == "approve"
    rival = Node(Meta("", "h2"), (("InternalIP", "10.77.0.11"),), (), True, False)
    asked = pkcs10.parse(request_pem([x509.IPAddress(ipaddress.ip_address("10.77.0.11"))]))
    assert csr.judge(KUBELET, asked, {"h1": claimant, "h2": rival}, SERVICES, owners).answer == "approve", (
        "a claim by another Node does not affect the owner"
    )
    assert [verdict(a) for a in ("192.0.2.10", "2001:db8::10", "10.77.0.13", "10.77.0.14")] == ["deny"] * 4


def test_a_host_with_ipv4_and_ipv6_gets_both_addresses() -> None:
    node = Node(
        Meta("", "h1"),
        (("InternalIP", "10.77.0.11"), ("InternalIP", "FD00:0::0011"), ("Hostname", "h1")),
        (),
        True,
        False,
    )
    names = [x509.DNSName("h1"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in ("10.77.0.11", "fd00::11"))]
    assert csr.judge(KUBELET, pkcs10.parse(request_pem(names)), {"h1": node}, SERVICES).answer == "approve"


def test_the_controllers_file_says_which_host_owns_an_address() -> None:
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
    owners = dict(config.parse(json.loads(files[CONTROLLER_PATH].content)).owners)
    hosts = {"10.0.0.11": "h1", "198.51.100.1": "h1", "10.0.0.12": "h2"}
    assert owners == {"192.0.2.10": "", "2001:db8::10": "", "127.0.0.1": "", "10.43.0.1": "", **hosts}
    assert config.parse(json.loads(files[str(config.PATH)].content)).owners == ()


def test_a_request_that_hides_its_names_behind_a_password_is_denied() -> None:
    hidden = b"x\n            X509v3 Subject Alternative Name: \n                DNS:h1\n"
    assert (
        csr.judge(KUBELET, pkcs10.parse(request_pem([*API_NAMES], password=hidden)), NODES, SERVICES).answer == "deny"
    )


def test_a_request_made_by_a_kubelet_is_approved() -> None:
    node = Node(
        Meta("", "h1"), (("InternalIP", "10.77.0.11"), ("InternalIP", "fd00::11"), ("Hostname", "h1")), (), True, False
    )
    assert csr.judge(KUBELET, pkcs10.parse(FROM_GO), {"h1": node}, SERVICES).answer == "approve"
