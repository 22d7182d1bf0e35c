"""known_hosts files and host keys: where ``ssh HOST true`` logs in, our login does, and only there."""

from __future__ import annotations

from rancherctl.hosts.model import SshClient
from tests.fakes.ssh_site import Case, Site, assert_agreement, rows

KNOWN = {
    what: Case(f"IdentityFile {{d}}/good\n{lines}", works)
    for what, lines, works in (
        ("unknown key", "UserKnownHostsFile {d}/empty", False),
        ("changed key", "UserKnownHostsFile {d}/changed", False),
        ("known under the plain name", "UserKnownHostsFile {d}/plain", True),
        ("plain name has another key", "UserKnownHostsFile {d}/plain_changed", False),
        ("HostKeyAlias", "UserKnownHostsFile {d}/alias\nHostKeyAlias Alias", True),
        ("HostKeyAlias that is unknown", "UserKnownHostsFile {d}/plain\nHostKeyAlias other", False),
        ("pattern", "UserKnownHostsFile {d}/pattern", True),
        ("negated pattern", "UserKnownHostsFile {d}/negated", False),
        ("hashed name", "UserKnownHostsFile {d}/hashed", True),
        ("revoked key", "UserKnownHostsFile {d}/revoked", False),
        ("second file", "UserKnownHostsFile {d}/empty {d}/plain", True),
        ("none, and a global file", "UserKnownHostsFile none\nGlobalKnownHostsFile {d}/plain", True),
        ("certified by an authority", "Port {certified}\nUserKnownHostsFile {d}/authority", True),
        ("authority under the plain name", "Port {certified}\nUserKnownHostsFile {d}/authority_plain", True),
        ("authority of others", "Port {certified}\nUserKnownHostsFile {d}/authority_foreign", False),
        ("authority that is revoked", "Port {certified}\nUserKnownHostsFile {d}/authority_revoked", False),
        (
            "certificate for another name",
            "Port {certified}\nUserKnownHostsFile {d}/authority_plain\nHostKeyAlias 127.0.0.2",
            False,
        ),
        ("authority, but the host has no certificate", "UserKnownHostsFile {d}/authority_only", False),
        ("/dev/null, no", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking no", True),
        ("/dev/null, accept-new", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking accept-new", True),
        ("/dev/null, ask", "UserKnownHostsFile /dev/null", False),
        ("/dev/null, yes", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking yes", False),
        ("changed key, accept-new", "UserKnownHostsFile {d}/changed\nStrictHostKeyChecking accept-new", False),
        ("changed key, no", "UserKnownHostsFile {d}/changed\nStrictHostKeyChecking no", True),
        ("path with a space", 'UserKnownHostsFile "{d}/known hosts"', True),
        ("several paths with spaces", 'UserKnownHostsFile {d}/empty "{d}/known hosts" {d}/gone', True),
        ("path in quotes without a space", 'UserKnownHostsFile "{d}/empty" "{d}/plain"', True),
        ("path with a space that does not exist", 'UserKnownHostsFile "{d}/gone known_hosts"', False),
        ("global path with a space", 'UserKnownHostsFile none\nGlobalKnownHostsFile "{d}/known hosts"', True),
        ("path with tokens", "UserKnownHostsFile {d}/known-%r-%h-%n", True),
        ("path with a variable", "UserKnownHostsFile ${{KEYS}}/plain", True),
        ("path with a variable that is not set", "UserKnownHostsFile ${{UNSET_KEYS}}/plain", False),
        ("path with the user's home", "UserKnownHostsFile ~{user}/../{d}/plain", True),
        ("a folder", "UserKnownHostsFile {d}/conf.d {d}/plain", True),
        ("comments and indentation", "UserKnownHostsFile {d}/comments", True),
        ("broken lines before the right one", "UserKnownHostsFile {d}/broken", True),
        ("lines that end with CR LF", "UserKnownHostsFile {d}/crlf", True),
        ("a changed key and the right one", "UserKnownHostsFile {d}/both", True),
        ("changed in the first file, right in the second", "UserKnownHostsFile {d}/changed {d}/known_hosts", True),
        (
            "changed in the first file, plain name in the second",
            "UserKnownHostsFile {d}/changed {d}/plain",
            False,
        ),
        (
            "changed in the user's file, right in the global one",
            "UserKnownHostsFile {d}/changed\nGlobalKnownHostsFile {d}/known_hosts",
            True,
        ),
        (
            "only the plain name changed, accept-new",
            "UserKnownHostsFile {d}/plain_changed\nStrictHostKeyChecking accept-new",
            True,
        ),
        ("HostKeyAlias with capital letters", "UserKnownHostsFile {d}/alias\nHostKeyAlias ALIAS", True),
        (
            "HostKeyAlias and accept-new",
            "UserKnownHostsFile /dev/null\nHostKeyAlias x\nStrictHostKeyChecking off",
            True,
        ),
        ("CheckHostIP", "CheckHostIP yes", True),
        ("HashKnownHosts, known", "HashKnownHosts yes", True),
        ("UpdateHostKeys", "UserKnownHostsFile {d}/plain\nUpdateHostKeys no", True),
        ("HostKeyAlgorithms without the server's", "HostKeyAlgorithms rsa-sha2-512", False),
        ("HostKeyAlgorithms with the server's", "HostKeyAlgorithms ecdsa-sha2-nistp256,ssh-ed25519", True),
        ("HostKeyAlgorithms that takes the server's away", "HostKeyAlgorithms -ssh-ed25519*", False),
        (
            "HostKeyAlgorithms without certificates, known by certificate",
            "Port {certified}\nUserKnownHostsFile {d}/authority\nHostKeyAlgorithms ssh-ed25519",
            False,
        ),
        ("NoHostAuthenticationForLocalhost no", "NoHostAuthenticationForLocalhost no", True),
    )
}
OPENSSH = {
    what: Case(f"IdentityFile {{d}}/good\n{lines}", works, openssh=True)
    for what, lines, works in (
        ("RevokedHostKeys with the server's key", "RevokedHostKeys {d}/key_only", False),
        ("RevokedHostKeys with another key", "RevokedHostKeys {d}/other_key_only", True),
        ("RevokedHostKeys that does not exist", "RevokedHostKeys {d}/gone", False),
        (
            "KnownHostsCommand that knows the key",
            "UserKnownHostsFile none\nKnownHostsCommand /bin/cat {d}/known_hosts",
            True,
        ),
        (
            "KnownHostsCommand that knows another",
            "UserKnownHostsFile none\nKnownHostsCommand /bin/cat {d}/changed",
            False,
        ),
        ("KnownHostsCommand that fails", "KnownHostsCommand /bin/false", False),
        (
            "KnownHostsCommand with a token",
            "UserKnownHostsFile none\nKnownHostsCommand /bin/cat {d}/known-{user}-127.0.0.1-%n",
            True,
        ),
        ("VerifyHostKeyDNS, known key", "VerifyHostKeyDNS yes", True),
        ("VerifyHostKeyDNS, unknown key", "VerifyHostKeyDNS yes\nUserKnownHostsFile {d}/empty", False),
        (
            "NoHostAuthenticationForLocalhost, unknown key",
            "NoHostAuthenticationForLocalhost yes\nUserKnownHostsFile {d}/empty",
            True,
        ),
        (
            "NoHostAuthenticationForLocalhost, changed key",
            "NoHostAuthenticationForLocalhost yes\nUserKnownHostsFile {d}/changed",
            True,
        ),
    )
}
CASES = KNOWN | OPENSSH


@rows(CASES)
def test_our_login_agrees_with_ssh(ssh_site: Site, case: Case, client: SshClient) -> None:
    assert_agreement(ssh_site, case, client)
