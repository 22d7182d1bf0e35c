"""Certificate requests: a host gets its own name certified and nothing else. Requests are made and read by the real openssl."""

import subprocess
from pathlib import Path

import pytest

from rancherctl.agents import csr
from rancherctl.kube.objects import Meta, Node

NODES = {"h1": Node(Meta("", "h1"), (("InternalIP", "10.77.0.11"), ("Hostname", "h1")), (), True, False)}
SERVING_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})


def content(tmp_path: Path, subject: str, names: str = "") -> csr.Content:
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
    read = ["openssl", "req", "-noout", "-nameopt", "multiline,utf8", "-text"]
    return csr.parse_openssl(subprocess.run(read, input=pem, check=True, capture_output=True).stdout.decode())


def request(signer: str, username: str, group: str, usages: frozenset[str]) -> csr.Request:
    return csr.Request(Meta("", "csr-1"), signer, username, (group, "system:authenticated"), usages, "", pending=True)


KUBELET = request(csr.SERVING, "system:node:h1", csr.NODE_GROUP, SERVING_USAGES)
AGENT = request(csr.CLIENT, "rancherctl:agent:h1", csr.AGENT_GROUP, frozenset({"digital signature", "client auth"}))


def test_a_kubelet_gets_its_own_names(tmp_path: Path) -> None:
    asked = content(tmp_path, "/O=system:nodes/CN=system:node:h1", "DNS:h1,IP:10.77.0.11")
    assert asked.dns == {"h1"}
    assert asked.ips == {"10.77.0.11"}
    assert csr.judge(KUBELET, asked, NODES).answer == "approve"


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
    assert csr.judge(KUBELET, content(tmp_path, subject, names), NODES).answer == "deny"


def test_a_kubelet_without_a_node_waits(tmp_path: Path) -> None:
    assert csr.judge(KUBELET, content(tmp_path, "/O=system:nodes/CN=system:node:h1", "DNS:h1"), {}).answer == "ignore"


def test_client_usage_on_the_serving_signer_is_denied(tmp_path: Path) -> None:
    asked = content(tmp_path, "/O=system:nodes/CN=system:node:h1", "DNS:h1")
    wrong = request(csr.SERVING, "system:node:h1", csr.NODE_GROUP, SERVING_USAGES | {"client auth"})
    assert csr.judge(wrong, asked, NODES).answer == "deny"


def test_an_agent_renews_itself_only(tmp_path: Path) -> None:
    assert csr.judge(AGENT, content(tmp_path, "/O=rancherctl:agents/CN=rancherctl:agent:h1"), NODES).answer == "approve"
    for subject in ("/O=rancherctl:agents/CN=rancherctl:agent:h2", "/O=system:masters/CN=rancherctl:agent:h1", "/CN=rancherctl:controller"):
        assert csr.judge(AGENT, content(tmp_path, subject), NODES).answer == "deny"


def test_an_agent_renews_its_hosts_kube_proxy(tmp_path: Path) -> None:
    verdict = csr.judge(AGENT, content(tmp_path, "/CN=system:kube-proxy"), NODES)
    assert verdict == csr.Verdict("approve", "renewal of kube-proxy by rancherctl:agent:h1")
    for subject, names in (("/O=system:masters/CN=system:kube-proxy", ""), ("/CN=system:kube-proxy", "DNS:h1"), ("/CN=system:kube-scheduler", "")):
        assert csr.judge(AGENT, content(tmp_path, subject, names), NODES).answer == "deny"
    stranger = request(csr.CLIENT, "rancherctl:agent:h1", "somebody", AGENT.usages)
    assert csr.judge(stranger, content(tmp_path, "/CN=system:kube-proxy"), NODES).answer == "deny"


def test_requests_of_others_are_left_alone(tmp_path: Path) -> None:
    asked = content(tmp_path, "/O=x/CN=someone")
    other = request(csr.CLIENT, "someone", "x", frozenset({"client auth"}))
    assert csr.judge(other, asked, NODES).answer == "ignore"
    foreign = request("example.com/signer", "system:node:h1", csr.NODE_GROUP, SERVING_USAGES)
    assert csr.judge(foreign, asked, NODES).answer == "ignore"


def test_a_decided_request_is_not_pending() -> None:
    body = {"metadata": {"name": "x"}, "spec": {"request": "", "signerName": csr.SERVING}, "status": {"conditions": [{"type": "Denied"}]}}
    assert not csr.parse(body).pending
    del body["status"]
    assert csr.parse(body).pending
