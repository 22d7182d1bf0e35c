"""Options of connections: where ``ssh HOST true`` logs in, our login does, and only there."""

from __future__ import annotations

from rancherctl.hosts.model import SshClient
from tests.fakes.ssh_site import Case, Site, assert_agreement, rows

KEY = "IdentityFile {d}/good\nIdentitiesOnly yes\nIdentityAgent none"
OPTIONS = {
    what: Case(f"{KEY}\n{lines}", works)
    for what, lines, works in (
        ("AddressFamily inet", "AddressFamily inet", True),
        ("AddressFamily inet6", "AddressFamily inet6", False),
        ("BatchMode no", "BatchMode no", True),
        ("BindAddress of this machine", "BindAddress 127.0.0.1", True),
        ("BindAddress of another", "BindAddress 192.0.2.1", False),
        ("Compression", "Compression yes", True),
        ("ConnectionAttempts", "ConnectionAttempts 2", True),
        ("ConnectTimeout", "ConnectTimeout 5", True),
        ("EnableEscapeCommandline and EscapeChar", "EscapeChar none", True),
        ("ExitOnForwardFailure", "ExitOnForwardFailure yes", True),
        ("FingerprintHash md5", "FingerprintHash md5", True),
        ("ForwardAgent", "ForwardAgent yes", True),
        ("ForwardX11", "ForwardX11 yes\nForwardX11Trusted yes", True),
        ("GatewayPorts", "GatewayPorts yes", True),
        ("GSSAPIAuthentication", "GSSAPIAuthentication yes", True),
        ("IPQoS", "IPQoS throughput", True),
        ("LocalCommand without PermitLocalCommand", "LocalCommand false", True),
        ("LogLevel QUIET", "LogLevel QUIET", True),
        ("LogLevel DEBUG3", "LogLevel DEBUG3", True),
        ("NumberOfPasswordPrompts", "NumberOfPasswordPrompts 1", True),
        ("RekeyLimit", "RekeyLimit 1M 10", True),
        ("RequestTTY force", "RequestTTY force", True),
        ("SendEnv", "SendEnv LANG LC_* KEYS", True),
        ("SetEnv", "SetEnv A=b 'C=d e'", True),
        ("ServerAliveInterval", "ServerAliveInterval 1\nServerAliveCountMax 2", True),
        ("StdinNull", "StdinNull yes", True),
        ("StreamLocalBindUnlink", "StreamLocalBindUnlink yes", True),
        ("TCPKeepAlive no", "TCPKeepAlive no", True),
        ("Tunnel no", "Tunnel no", True),
        ("VisualHostKey", "VisualHostKey yes", True),
        ("XAuthLocation", "XAuthLocation /no/such/xauth", True),
        ("ControlMaster auto, no master", "ControlMaster auto\nControlPath {d}/%n-%p", True),
        ("ControlPath, no master", "ControlPath {d}/none-%h-%p-%r-%n", True),
        ("ControlPath in quotes with a variable", 'ControlPath "${{KEYS}}/a control"', True),
        ("ControlPath none", "ControlMaster auto\nControlPath none", True),
        ("ControlPath of a dead master", "ControlPath {d}/dead-control", True),
        ("Ciphers that paramiko has", "Ciphers aes256-ctr", True),
        ("Ciphers that only add", "Ciphers +aes128-cbc", True),
        ("MACs that paramiko has", "Ciphers aes256-ctr\nMACs hmac-sha2-512", True),
        ("KexAlgorithms that paramiko has", "KexAlgorithms curve25519-sha256@libssh.org", True),
        ("a cipher that does not exist", "Ciphers no-such-cipher", False),
        ("SecurityKeyProvider internal", "SecurityKeyProvider internal", True),
    )
}
OPENSSH = {
    what: Case(f"{KEY}\n{lines}", works, openssh=True)
    for what, lines, works in (
        ("Ciphers that paramiko lacks", "Ciphers chacha20-poly1305@openssh.com", True),
        ("KexAlgorithms that paramiko lacks", "KexAlgorithms diffie-hellman-group18-sha512", True),
        ("MACs that paramiko lacks", "Ciphers aes256-ctr\nMACs umac-128@openssh.com", True),
        ("HostbasedAuthentication", "HostbasedAuthentication yes", True),
        (
            "PreferredAuthentications, keyboard-interactive first",
            "PreferredAuthentications keyboard-interactive,publickey",
            True,
        ),
        ("LocalCommand", "PermitLocalCommand yes\nLocalCommand true", True),
        ("BindInterface", "BindInterface lo", True),
        ("PKCS11Provider", "PKCS11Provider /no/such/provider.so", True),
    )
}
CASES = OPTIONS | OPENSSH


@rows(CASES)
def test_our_login_agrees_with_ssh(ssh_site: Site, case: Case, client: SshClient) -> None:
    assert_agreement(ssh_site, case, client)
