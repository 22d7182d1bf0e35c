"""Certificates: leaves, signing, what makes them wrong, and when authorities may be made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rancherctl.environments import syntax
from rancherctl.environments.components import places
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.pki import authority, reconcile, wanted
from rancherctl.environments.pki.leaves import Leaf, api_names, leaves
from rancherctl.environments.pki.wanted import CertificateFolder, ObservedFile
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.hosts.command import Command, Result

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONTROL_PLANE, WORKER = ENV.hosts
CA = authority.new_authority("ca", "demo", NOW)
LEAF = Leaf(
    "apiserver", "ca", "kube-apiserver", server=True, names=("h1",), addresses=("10.0.0.11",), owner="root:root"
)


def request() -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name.from_rfc4514_string("CN=evil,O=system:masters"))
        .sign(key, hashes.SHA256())
    )
    return key, csr.public_bytes(serialization.Encoding.PEM).decode()


def public_hash(key: ec.EllipticCurvePrivateKey) -> str:
    import hashlib

    return hashlib.sha256(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def folder(leaf: Leaf, pem: str, public: str, *, mode: int = 0o600, owner: str = "root:root") -> CertificateFolder:
    return CertificateFolder(
        {leaf.crt: ObservedFile("x", 0o644, "root:root", pem), leaf.key: ObservedFile("y", mode, owner)},
        {leaf.key: public},
    )


def test_only_the_key_of_a_request_is_used() -> None:
    key, csr = request()
    crt = x509.load_pem_x509_certificate(authority.sign(LEAF, csr, CA, NOW).encode())
    assert crt.subject.rfc4514_string() == "CN=kube-apiserver"
    assert crt.public_key() == key.public_key()
    crt.verify_directly_issued_by(x509.load_pem_x509_certificate(CA.crt.encode()))
    names = crt.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["h1"]
    assert not crt.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_request_with_a_foreign_signature_is_refused() -> None:
    _, good = request()
    der = bytearray(x509.load_pem_x509_csr(good.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(RancherctlError, match="not signed by its own key"):
        authority.sign(LEAF, broken, CA, NOW)


ODD_REQUEST = """\
-----BEGIN CERTIFICATE REQUEST-----
MHowRwIBADAMMQowCAYDVQQDDAF4MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAEzsgC
+zyQIs9Rj4wZvsl/DZKZBiRvCEnta0+lrqAAMAoGCCqGSM49BAMCAyMAMCACDjJ+
vtTc6HY4QGce7wGhAg4kE2SGnEvgfRBTS22InA==
-----END CERTIFICATE REQUEST-----
"""
ODD_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBITCB7KADAgECAhRUH0R8N50K0T5TbMpyWbl/iZGFmTAKBggqhkjOPQQDAjAM
MQowCAYDVQQDDAF4MB4XDTI2MTEyNzA1NDgwMVoXDTI2MTIwNzA1NDgwMVowDDEK
MAgGA1UEAwwBeDAyMBAGByqGSM49AgEGBSuBBAAGAx4ABM7IAvs8kCLPUY+MGb7J
fw2SmQYkbwhJ7WtPpa6jUzBRMB0GA1UdDgQWBBRthgVpHTLJCnp0taAyYJC/5xjJ
MTAfBgNVHSMEGDAWgBRthgVpHTLJCnp0taAyYJC/5xjJMTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCAyQAMCECDm/DMxknQbfif6j2CInyAg8Av9h6tmCcGBxg
ADI7rLM=
-----END CERTIFICATE-----
"""
"""With a key on an obsolete curve, as a hostile host might send it."""


@pytest.mark.parametrize("text", ["", "garbage", "\ud800", CA.crt, ODD_REQUEST])
def test_an_invalid_request_is_an_error_of_its_host(text: str) -> None:
    with pytest.raises(RancherctlError, match="the request for certificate 'apiserver' is invalid"):
        authority.sign(LEAF, text, CA, NOW)


def test_a_host_that_omits_requests_is_an_error() -> None:
    class Host:
        name = "h2"

        def run(self, command: Command, *, check: bool = True) -> Result:
            return Result(command, 0, b'{"ok": {"requests": {}}}\n', b"")

    missing = tuple(
        wanted.CertChange("certificate", leaf.name, leaf.crt, "create", "missing") for leaf in leaves(ENV, ENV.hosts[1])
    )
    with pytest.raises(RancherctlError, match=r"h2: .*agent, kube-proxy, kubelet"):
        reconcile.apply(Host(), ENV, ENV.hosts[1], missing, shared_files={}, now=NOW)  # type: ignore[arg-type]


def test_a_certificate_with_an_unsupported_key_is_invalid() -> None:
    assert wanted.parse("apiserver", ODD_CERTIFICATE) is None


def test_a_leaf_never_outlives_its_authority() -> None:
    late = NOW + timedelta(days=authority.AUTHORITY_DAYS - 10)
    crt = x509.load_pem_x509_certificate(authority.sign(LEAF, request()[1], CA, late).encode())
    assert crt.not_valid_after_utc == x509.load_pem_x509_certificate(CA.crt.encode()).not_valid_after_utc


@pytest.mark.parametrize(
    ("leaf", "days", "text"),
    [
        (LEAF, 0, ""),
        (LEAF, 250, ""),
        (LEAF, 260, "105 days left"),
        (LEAF, 400, "-35 days left"),
        (replace(LEAF, addresses=("10.0.0.11", "10.0.0.99")), 0, "names differ"),
        (replace(LEAF, organization="system:masters"), 0, "is for kube-apiserver"),
        (replace(LEAF, owner="rancherctl-kube:rancherctl-kube"), 0, "can be read by others"),
        (replace(LEAF, self_renewed=True), 360, ""),
    ],
)
def test_reasons_to_sign_a_leaf_again(leaf: Leaf, days: int, text: str) -> None:
    key, csr = request()
    found = folder(LEAF, authority.sign(LEAF, csr, CA, NOW), public_hash(key))
    why = wanted.leaf_problem(leaf, found, wanted.authority_key(CA.crt), NOW + timedelta(days=days))
    assert (why == "") if text == "" else text in why


def test_a_leaf_of_another_key_or_authority_is_signed_again() -> None:
    key, csr = request()
    pem = authority.sign(LEAF, csr, CA, NOW)
    other = authority.new_authority("ca", "demo", NOW)
    right = wanted.authority_key(CA.crt)
    assert "does not belong" in wanted.leaf_problem(LEAF, folder(LEAF, pem, "00"), right, NOW)
    assert "another authority" in wanted.leaf_problem(
        LEAF, folder(LEAF, pem, public_hash(key)), wanted.authority_key(other.crt), NOW
    )
    assert "key is missing" in wanted.leaf_problem(LEAF, folder(LEAF, pem, ""), right, NOW)
    assert "cannot be read" in wanted.leaf_problem(LEAF, folder(LEAF, "no pem", "00"), right, NOW)
    assert "read by others" in wanted.leaf_problem(LEAF, folder(LEAF, pem, public_hash(key), mode=0o640), right, NOW)


def test_workers_get_no_keys_of_the_control_plane() -> None:
    assert {leaf.name for leaf in leaves(ENV, WORKER)} == {"kubelet", "kube-proxy", "agent"}
    assert [s.path for s in wanted.shared(WORKER)] == [places.CA]
    agent = next(leaf for leaf in leaves(ENV, WORKER) if leaf.name == "agent")
    assert (agent.common_name, agent.organization) == ("rancherctl:agent:h2", "rancherctl:agents")


def test_secrets_of_the_control_plane_are_for_their_owner_only() -> None:
    assert {s.path for s in wanted.shared(CONTROL_PLANE) if s.secret} == {
        places.CA_KEY, places.ETCD_CA_KEY, places.FRONT_CA_KEY, places.SA_KEY, places.ENCRYPTION,
    }  # fmt: skip
    assert all(s.mode == 0o600 for s in wanted.shared(CONTROL_PLANE) if s.secret)


def test_api_certificates_contain_all_names_and_addresses_of_the_api() -> None:
    environment = replace(
        ENV, api=replace(ENV.api, address="api.example.com", extra_sans=("203.0.113.5", "k8s.example.com"))
    )
    names, addresses = api_names(environment)
    assert {"kubernetes.default.svc.cluster.local", "h1", "api.example.com", "k8s.example.com", "localhost"} <= set(
        names
    )
    assert {"127.0.0.1", "10.43.0.1", "10.0.0.11", "203.0.113.5"} <= set(addresses)


def have(*paths: str, text: str = "") -> CertificateFolder:
    return CertificateFolder({path: ObservedFile("1", 0o600, "root:root", text or CA.crt) for path in paths}, {})


ALL = [s.path for s in wanted.shared(CONTROL_PLANE)]


def test_new_hosts_have_no_authority_yet() -> None:
    known = reconcile.authorities(ENV, {"h1": have(), "h2": have()})
    assert known.ca_host == ""
    assert known.truth == {}


def test_an_interrupted_first_run_can_start_again() -> None:
    assert reconcile.authorities(ENV, {"h1": have(places.CA, places.CA_KEY), "h2": have()}).ca_host == ""


def test_a_complete_control_plane_keeps_the_authorities() -> None:
    known = reconcile.authorities(ENV, {"h1": have(*ALL), "h2": have(places.CA)})
    assert known.ca_host == "h1"
    assert known.signers["ca"] == wanted.authority_key(CA.crt)


def test_lost_keys_of_an_existing_environment_are_never_replaced() -> None:
    without = [p for p in ALL if p != places.ENCRYPTION]
    with pytest.raises(ConflictError, match=r"encryption\.yaml"):
        reconcile.authorities(ENV, {"h1": have(*without, places.crt("apiserver")), "h2": have(places.CA)})


def test_hosts_that_trust_another_authority_are_refused() -> None:
    with pytest.raises(ConflictError, match="no control-plane host has"):
        reconcile.authorities(ENV, {"h1": have(), "h2": have(places.CA)})
    foreign = CertificateFolder({places.CA: ObservedFile("2", 0o644, "root:root")}, {})
    with pytest.raises(ConflictError, match="belong to another environment"):
        reconcile.authorities(ENV, {"h1": have(*ALL), "h2": foreign})


def test_the_plan_is_empty_if_all_certificates_are_right() -> None:
    shared = reconcile.new_material(ENV, NOW)
    files: dict[str, ObservedFile | None] = {}
    keys = {}
    for item in wanted.shared(CONTROL_PLANE):
        files[item.path] = ObservedFile(
            wanted.sha256(str(shared[item.path])), item.mode, item.owner, "" if item.secret else str(shared[item.path])
        )
    for leaf in leaves(ENV, CONTROL_PLANE):
        key, csr = request()
        pem = authority.sign(leaf, csr, reconcile.pair_of(shared, leaf.authority), NOW)
        files[leaf.crt], files[leaf.key] = (
            ObservedFile("c", 0o644, "root:root", pem),
            ObservedFile("k", 0o600, leaf.owner),
        )
        keys[leaf.key] = public_hash(key)
    known = reconcile.authorities(ENV, {"h1": CertificateFolder(files, keys)})
    assert reconcile.plan(ENV, CONTROL_PLANE, CertificateFolder(files, keys), known, NOW) == ()
    files[places.SA_KEY] = None
    with pytest.raises(ConflictError):
        reconcile.authorities(ENV, {"h1": CertificateFolder(files, keys)})


def test_secrets_do_not_print_themselves() -> None:
    assert "PRIVATE" not in repr(CA)
    assert "PRIVATE" not in repr(reconcile.new_material(ENV, NOW))


def test_without_an_answer_of_the_control_plane_the_authorities_are_unknown() -> None:
    known = reconcile.authorities(ENV, {"h2": have(places.CA)})
    assert known.unknown
    assert known.ca_host == ""


def test_files_of_an_interrupted_first_run_are_replaced_together() -> None:
    """A certificate of one authority with the key of another would sign leaves that no host trusts."""
    left = CertificateFolder({places.CA: ObservedFile(wanted.sha256(CA.crt), 0o644, "root:root", CA.crt)}, {})
    known = reconcile.authorities(ENV, {"h1": left})
    changes = {c.path: c for c in reconcile.plan(ENV, CONTROL_PLANE, left, known, NOW) if c.kind == "authority"}
    assert set(changes) == set(ALL)
    assert (changes[places.CA].verb, changes[places.CA].why) == ("update", "left by an interrupted first run")
    assert changes[places.CA_KEY].verb == "create"


def test_nothing_is_replaced_while_the_authorities_are_unknown() -> None:
    folders = {"h2": have(places.CA)}
    known = reconcile.authorities(ENV, folders)
    assert [
        c
        for c in reconcile.plan(ENV, WORKER, folders["h2"], known, NOW)
        if c.kind == "authority" and c.why.startswith("left")
    ] == []


def test_the_longest_name_of_a_host_fits_into_its_certificates() -> None:
    """An X.509 common name has at most 64 characters; the parser refuses longer names before an apply."""
    longest = "h" * syntax.MAX_HOST_NAME
    assert syntax.host_name(longest) == ""
    assert syntax.host_name(longest + "h") != ""
    for leaf in leaves(ENV, replace(CONTROL_PLANE, name=longest)):
        authority.sign(leaf, request()[1], CA, NOW)
