"""Which options of an ssh configuration need OpenSSH itself: one row per option, positive and negative."""

from __future__ import annotations

from typing import Any

import paramiko
import pytest

from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.ssh_options import CIPHERS, KEX, KEYS, MACS, allowed, openssh_only
from rancherctl.hosts.ssh_settings import parse, settings_of

DEBIAN = """user root
hostname 10.0.0.11
port 22
addressfamily any
gssapiauthentication yes
gssapikeyexchange no
hostbasedauthentication no
kbdinteractiveauthentication yes
passwordauthentication yes
permitlocalcommand no
proxyusefdpass no
pubkeyauthentication true
verifyhostkeydns false
nohostauthenticationforlocalhost no
forwardagent yes
checkhostip yes
compression yes
ciphers chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com
hostkeyalgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256
kexalgorithms sntrup761x25519-sha512,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256
macs umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-256,hmac-sha1
pubkeyacceptedalgorithms ssh-ed25519-cert-v01@openssh.com,sk-ssh-ed25519@openssh.com,ssh-ed25519,rsa-sha2-512
securitykeyprovider internal
controlmaster auto
controlpath none
knownhostscommand none
revokedhostkeys none
"""
"""What ``ssh -G`` prints on Debian without any configuration of the user, shortened."""


def needs(lines: str, host: str = "10.0.0.11", *, proxied: bool = False) -> tuple[str, ...]:
    """What the lines need in place of Debian's."""
    return openssh_only(parse(DEBIAN) | parse(lines), host, proxied=proxied)


@pytest.mark.parametrize(
    ("lines", "need"),
    [
        ("pkcs11provider /usr/lib/opensc-pkcs11.so", "PKCS11Provider /usr/lib/opensc-pkcs11.so"),
        ("securitykeyprovider /usr/lib/sk.so", "SecurityKeyProvider /usr/lib/sk.so"),
        ("gssapikeyexchange yes", "GSSAPIKeyExchange"),
        ("hostbasedauthentication yes", "HostbasedAuthentication"),
        (
            "preferredauthentications gssapi-with-mic,publickey",
            "PreferredAuthentications beginning with gssapi-with-mic",
        ),
        (
            "preferredauthentications keyboard-interactive",
            "PreferredAuthentications beginning with keyboard-interactive",
        ),
        ("revokedhostkeys /etc/ssh/revoked", "RevokedHostKeys /etc/ssh/revoked"),
        ("knownhostscommand /usr/bin/sss_ssh_knownhosts --token secret", "KnownHostsCommand"),
        ("verifyhostkeydns true", "VerifyHostKeyDNS"),
        ("verifyhostkeydns yes", "VerifyHostKeyDNS"),
        ("proxyusefdpass yes\nproxycommand /usr/bin/fdpass %h %p", "ProxyUseFdpass"),
        ("permitlocalcommand yes\nlocalcommand knock %h", "LocalCommand"),
        ("bindinterface eth1", "BindInterface eth1"),
        ("kexalgorithms curve25519-sha256", "KexAlgorithms without any that paramiko has"),
        ("ciphers chacha20-poly1305@openssh.com", "Ciphers without any that paramiko has"),
        ("macs umac-128-etm@openssh.com,umac-64@openssh.com", "MACs without any that paramiko has"),
        ("hostkeyalgorithms ssh-rsa,ssh-dss", "HostKeyAlgorithms without any that paramiko has"),
        ("pubkeyacceptedalgorithms sk-*", "PubkeyAcceptedAlgorithms without any that paramiko has"),
        (
            "pubkeyacceptedalgorithms none\npubkeyacceptedkeytypes sk-ssh-ed25519@openssh.com",
            "PubkeyAcceptedAlgorithms without any that paramiko has",
        ),
    ],
)
def test_an_option_that_only_openssh_can_carry_out_is_named(lines: str, need: str) -> None:
    assert needs(lines) == (need,)


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "pkcs11provider none",
        "securitykeyprovider internal",
        "gssapiauthentication yes",
        "preferredauthentications publickey,gssapi-with-mic",
        "preferredauthentications password",
        "preferredauthentications gssapi-keyex,hostbased,publickey",
        "preferredauthentications gssapi-with-mic,publickey\ngssapiauthentication no",
        "preferredauthentications keyboard-interactive,publickey\nkbdinteractiveauthentication no",
        "revokedhostkeys none",
        "verifyhostkeydns ask",
        "proxyusefdpass yes",
        "localcommand knock %h",
        "permitlocalcommand yes",
        "nohostauthenticationforlocalhost yes",
        "addressfamily inet",
        "bindaddress 10.0.0.1",
        "kexalgorithms +diffie-hellman-group1-sha1",
        "ciphers aes256-ctr",
        "ciphers ^chacha20-poly1305@openssh.com",
        "macs -*-etm@openssh.com",
        "hostkeyalgorithms ssh-rsa,ssh-ed25519-cert-v01@openssh.com",
        "pubkeyacceptedalgorithms rsa-*",
        "pubkeyacceptedalgorithms sk-*\npubkeyauthentication false",
    ],
)
def test_an_option_that_paramiko_can_carry_out_or_that_does_not_apply_is_not_named(lines: str) -> None:
    assert needs(lines) == ()


@pytest.mark.parametrize(("host", "need"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("h1", False)])
def test_host_keys_of_this_machine_are_left_unchecked_by_openssh_only(host: str, need: bool) -> None:
    found = needs("nohostauthenticationforlocalhost yes", host)
    assert found == (("NoHostAuthenticationForLocalhost",) if need else ())


def test_the_interface_does_not_matter_behind_a_jump_host() -> None:
    assert needs("bindinterface eth1", proxied=True) == ()
    assert settings_of(SshAddress("h"), parse("bindinterface eth1\nproxyjump gate")).openssh_only == ()
    assert settings_of(SshAddress("h", jump="gate"), parse("bindinterface eth1")).openssh_only == ()


def test_the_lists_are_those_of_paramiko() -> None:
    """Otherwise a host would go to OpenSSH for nothing, or fail with paramiko."""
    client: Any = paramiko.Transport
    assert set(KEX) == set(client._preferred_kex)
    assert set(CIPHERS) == set(client._preferred_ciphers)
    assert set(MACS) == set(client._preferred_macs)
    assert set(KEYS) == set(client._preferred_keys) == set(client._preferred_pubkeys)


def test_a_list_keeps_the_order_of_preference() -> None:
    assert allowed(CIPHERS, ("aes256-ctr", "aes128-gcm@openssh.com")) == ("aes128-gcm@openssh.com", "aes256-ctr")
    assert allowed(CIPHERS, ()) == CIPHERS
    assert allowed(CIPHERS, ("chacha20-poly1305@openssh.com",)) == ()


@pytest.mark.parametrize("lines", ["pubkeyauthentication no", "preferredauthentications keyboard-interactive,password"])
def test_keys_that_the_configuration_switches_off_are_not_tried(lines: str) -> None:
    found = settings_of(SshAddress("h", identity="/k"), parse(f"identityfile /k\n{lines}"), {"SSH_AUTH_SOCK": "/agent"})
    assert (found.identities, found.certificates, found.agent) == ((), (), "")
