"""Keys, agents and certificates: where ``ssh HOST true`` logs in, our login does, and only there.

Issue 8, section S: what works with ``ssh HOST`` works here. The rows about other themes are in test_ssh_table_*.py.
"""

from __future__ import annotations

import pytest

from rancherctl.hosts.model import SshClient
from tests.fakes.ssh_site import Case, Site, assert_agreement, rows

CASES = {
    "a key file": Case("IdentityFile {d}/good\nIdentitiesOnly yes", True),
    "a key that the server does not know": Case("IdentityFile {d}/foreign\nIdentitiesOnly yes", False),
    "an RSA key": Case("IdentityFile {d}/rsa\nIdentitiesOnly yes", True),
    "the agent alone": Case("IdentityFile none", True, "agent"),
    "IdentitiesOnly, IdentityFile without .pub, key in the agent": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/held", True, "agent"
    ),
    "IdentitiesOnly, IdentityFile is the .pub, key in the agent": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/held.pub", True, "agent"
    ),
    "IdentitiesOnly, locked key file, key in the agent": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/locked", True, "agent"
    ),
    "IdentitiesOnly, locked key file, no agent": Case("IdentitiesOnly yes\nIdentityFile {d}/locked", False),
    "IdentityAgent as a path": Case("IdentityAgent {d}/agent.sock\nIdentityFile none", True),
    "IdentityAgent none": Case("IdentityAgent none\nIdentityFile none", False, "agent"),
    "IdentityAgent SSH_AUTH_SOCK": Case("IdentityAgent SSH_AUTH_SOCK\nIdentityFile none", True, "agent"),
    "IdentityAgent $VARIABLE": Case("IdentityAgent $OTHER_AGENT\nIdentityFile none", True),
    "IdentityAgent with ${VARIABLE}": Case("IdentityAgent ${{OTHER_AGENT}}\nIdentityFile none", True),
    "IdentityAgent that does not exist, and a key file": Case("IdentityAgent {d}/gone\nIdentityFile {d}/rsa", True),
    "an RSA key in the agent": Case("IdentityAgent {d}/rsa.sock\nIdentityFile none", True),
    "IdentityFile with tokens": Case("IdentityFile {d}/%r-%h-%u\nIdentitiesOnly yes", True),
    "IdentityFile with a variable": Case("IdentityFile ${{KEYS}}/good\nIdentitiesOnly yes", True),
    "IdentityFile with a variable that is not set": Case("IdentityFile ${{UNSET_KEYS}}/good", False),
    "several identity files, the last works": Case(
        "IdentityFile {d}/gone\nIdentityFile {d}/foreign\nIdentityFile {d}/rsa\nIdentitiesOnly yes", True
    ),
    "a certificate": Case(
        "IdentityFile {d}/certified\nCertificateFile {d}/certified.certificate\nIdentitiesOnly yes", True
    ),
    "a certificate of an RSA key": Case(
        "IdentityFile {d}/rsa_certified\nCertificateFile {d}/rsa_certified.certificate\nIdentitiesOnly yes", True
    ),
    "a key that works with a certificate only": Case("IdentityFile {d}/certified\nIdentitiesOnly yes", False),
    "CertificateFile with a token, key in the agent": Case(
        "IdentityAgent {d}/certified.sock\nIdentityFile {d}/certified.pub\n"
        "CertificateFile %d/../{d}/certified.certificate",
        True,
    ),
    "an expired certificate beside a key that works alone": Case("IdentityFile {d}/expired\nIdentitiesOnly yes", True),
    "a certificate by a foreign authority beside a key that works alone": Case("IdentityFile {d}/good", True),
    "a certificate of another key beside a key that works alone": Case(
        "IdentityFile {d}/mismatched\nIdentitiesOnly yes", True
    ),
    "a damaged certificate beside a key that works alone": Case("IdentityFile {d}/damaged\nIdentitiesOnly yes", True),
    "IdentitiesOnly, agent keys that no file names": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/foreign", False, "agent"
    ),
    "IdentitiesOnly, certificate in the agent, IdentityFile is the key": Case(
        "IdentityAgent {d}/certificate.sock\nIdentitiesOnly yes\nIdentityFile {d}/agent_certified.pub", False
    ),
    "IdentitiesOnly, certificate in the agent, IdentityFile is the certificate": Case(
        "IdentityAgent {d}/certificate.sock\nIdentitiesOnly yes\nIdentityFile {d}/agent_certificate", True
    ),
    "IdentitiesOnly, certificate in the agent, CertificateFile": Case(
        "IdentityAgent {d}/certificate.sock\nIdentitiesOnly yes\nIdentityFile {d}/agent_certified.pub\n"
        "CertificateFile {d}/agent_certificate",
        True,
    ),
    "a certificate in the agent": Case("IdentityAgent {d}/certificate.sock\nIdentityFile none", True),
    "an identity file with a space": Case('IdentityFile "{d}/spaced key"\nIdentitiesOnly yes', True),
    "IdentityFile that is the .pub of a private key beside it": Case(
        "IdentityFile {d}/good.pub\nIdentitiesOnly yes", False
    ),
    "IdentityFile with the user's home": Case("IdentityFile ~{user}/../{d}/good\nIdentitiesOnly yes", True),
    "IdentityFile with %%d": Case("IdentityFile %d/../{d}/good\nIdentitiesOnly yes", True),
    "IdentityFile with an unknown token": Case("IdentityFile {d}/%Q\nIdentityFile {d}/good", False),
    "IdentityFile that is a folder": Case("IdentityFile {d}/conf.d\nIdentityFile {d}/good", True),
    "IdentityFile that is not a key": Case("IdentityFile {d}/relay.py\nIdentityFile {d}/good", True),
    "the same identity file twice": Case("IdentityFile {d}/good\nIdentityFile {d}/good", True),
    "CertificateFile that does not exist": Case("IdentityFile {d}/good\nCertificateFile {d}/gone", True),
    "CertificateFile that is not a certificate": Case("IdentityFile {d}/good\nCertificateFile {d}/good.pub", True),
    "IdentityAgent with tokens": Case("IdentityAgent {d}/agent%%.sock\nIdentityFile none", False),
    "IdentityAgent with a variable that is not set": Case(
        "IdentityAgent ${{UNSET_AGENT}}\nIdentityFile {d}/good", False
    ),
    "IdentityAgent $VARIABLE that is not set": Case("IdentityAgent $UNSET_AGENT\nIdentityFile {d}/good", True),
    "IdentityAgent that is not a socket": Case("IdentityAgent {d}/relay.py\nIdentityFile {d}/good", True),
    "AddKeysToAgent without an agent": Case("AddKeysToAgent yes\nIdentityFile {d}/good", True),
    "AddKeysToAgent with an agent": Case("AddKeysToAgent yes\nIdentityFile {d}/good", True, "rsa"),
    "PubkeyAuthentication no": Case("PubkeyAuthentication no\nIdentityFile {d}/good", False, "agent"),
    "PreferredAuthentications password": Case("PreferredAuthentications password\nIdentityFile {d}/good", False),
    "PreferredAuthentications publickey": Case("PreferredAuthentications publickey\nIdentityFile {d}/good", True),
    "PubkeyAcceptedAlgorithms without the key's": Case(
        "PubkeyAcceptedAlgorithms rsa-sha2-512\nIdentityFile {d}/good\nIdentityAgent none", False
    ),
    "PubkeyAcceptedAlgorithms with the key's": Case(
        "PubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-256\nIdentityFile {d}/good\nIdentityAgent none", True
    ),
    "PubkeyAcceptedAlgorithms that takes the key's away": Case(
        "PubkeyAcceptedAlgorithms -ssh-ed25519\nIdentityFile {d}/good\nIdentityAgent none", False
    ),
    "PubkeyAcceptedAlgorithms: of two keys the second": Case(
        "PubkeyAcceptedAlgorithms -ssh-ed*\nIdentityFile {d}/good\nIdentityFile {d}/rsa", True
    ),
    "PubkeyAcceptedAlgorithms that only adds": Case(
        "PubkeyAcceptedAlgorithms +ssh-rsa\nIdentityFile {d}/rsa\nIdentityAgent none", True
    ),
    "PubkeyAcceptedAlgorithms: certificates only, key alone": Case(
        "PubkeyAcceptedAlgorithms ssh-ed25519-cert-v01@openssh.com\nIdentityFile {d}/good", False
    ),
}


@rows(CASES)
def test_our_login_agrees_with_ssh(
    ssh_site: Site, case: Case, client: SshClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh_site.set_environment(monkeypatch, case.agent)
    assert_agreement(ssh_site, case, client)
