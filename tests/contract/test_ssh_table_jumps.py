"""Jump hosts and proxy commands: where ``ssh HOST true`` logs in, our login does, and only there."""

from __future__ import annotations

from rancherctl.hosts.model import SshClient
from tests.fakes.ssh_site import Case, Site, assert_agreement, rows

GATE_KEY = "IdentityFile {d}/gate_key\nIdentitiesOnly yes"
GATE = "\nHost gate\nPort {gate}\n" + GATE_KEY
SECOND = "\nHost second\nPort {certified}\nIdentityFile {d}/good\nUserKnownHostsFile {d}/known_all"
PROXY_COMMANDS = {
    f"ProxyCommand: {what}": Case(f"IdentityFile {{d}}/good\nProxyCommand {lines}", works)
    for what, lines, works in (
        ("plain", "{python} {d}/relay.py %h %p", True),
        ("with a variable and quotes", '"{python}" "$RELAY" \'%h\' "%p"', True),
        ("with a redirection", "{python} {d}/relay.py %h %p 2>/dev/null", True),
        ("with the name as typed", "sh -c 'test %n = h && exec {python} {d}/relay.py %h %p'", True),
        ("with the user", "sh -c 'test %r = {user} && exec {python} {d}/relay.py %h %p'", True),
        ("with a percent sign", "sh -c 'test 1%% = \"1%%\" && exec {python} {d}/relay.py %h %p'", True),
        ("that does not exist", "/no/such/relay %h %p", False),
        ("that ends at once", "false", False),
        ("with an unknown token", "{python} {d}/relay.py %Q %p", False),
        ("none", "none", True),
        ("with ssh -W", "ssh -F {d}/config -W %h:%p gate\nUserKnownHostsFile {d}/known_all" + GATE, True),
        ("with ssh -W in brackets", "ssh -F {d}/config -W [%h]:%p gate\nUserKnownHostsFile {d}/known_all" + GATE, True),
        (
            "with ssh -W to a closed port",
            "ssh -F {d}/config -W %h:1 gate\nUserKnownHostsFile {d}/known_all" + GATE,
            False,
        ),
        ("in quotes as a whole", '"{python} {d}/relay.py %h %p"', False),
        ("with exec", "exec {python} {d}/relay.py %h %p", False),
        ("with a pipe", "{python} {d}/relay.py %h %p | cat", True),
        ("with %%k", "sh -c 'test %k = h && exec {python} {d}/relay.py %h %p'", True),
        ("that prints to standard error", "sh -c 'echo note >&2; exec {python} {d}/relay.py %h %p'", True),
        ("that speaks before the server", "sh -c 'echo hello; exec {python} {d}/relay.py %h %p'", True),
    )
}
JUMPS = {
    f"ProxyJump: {what}": Case(f"IdentityFile {{d}}/good\nUserKnownHostsFile {{d}}/known_all\n{lines}", works)
    for what, lines, works in (
        ("a host with its own port and key", "ProxyJump gate" + GATE, True),
        ("with user and port in the value", "ProxyJump {user}@127.0.0.1:{gate}\nHost 127.0.0.1\n" + GATE_KEY, True),
        ("as a URI", "ProxyJump ssh://{user}@127.0.0.1:{gate}\nHost 127.0.0.1\n" + GATE_KEY, True),
        ("with a user that does not exist", "ProxyJump no-such-user@gate" + GATE, False),
        ("a host that refuses the key", "ProxyJump gate\nHost gate\nPort {gate}\nIdentityFile {d}/good", False),
        ("a host that is down", "ProxyJump gate\nHost gate\nPort 1\n" + GATE_KEY, False),
        ("a host whose key has changed", "ProxyJump gate" + GATE + "\nUserKnownHostsFile {d}/gate_changed", False),
        ("a host whose key is unknown", "ProxyJump gate" + GATE + "\nUserKnownHostsFile {d}/empty", False),
        (
            "a host with a known_hosts file of its own",
            "ProxyJump gate" + GATE + "\nUserKnownHostsFile {d}/known_gate",
            True,
        ),
        ("a host with a HostKeyAlias", "ProxyJump gate" + GATE + "\nHostKeyAlias [127.0.0.1]:{gate}", True),
        ("a host with an unknown HostKeyAlias", "ProxyJump gate" + GATE + "\nHostKeyAlias elsewhere", False),
        ("two steps", "ProxyJump gate,second" + GATE + SECOND, True),
        ("two steps with a space", "ProxyJump gate, second" + GATE + SECOND, False),
        ("two steps, the second refuses", "ProxyJump gate,second" + GATE + SECOND.replace("good", "foreign"), False),
        ("three steps", "ProxyJump gate,second,gate" + GATE + SECOND, True),
        ("a host that has one, too", "ProxyJump second" + SECOND + "\nProxyJump gate" + GATE, True),
        ("two steps, the first has one, too", "ProxyJump second,gate" + SECOND + "\nProxyJump gate" + GATE, True),
        ("two steps, the second has one, too", "ProxyJump gate,second" + GATE + SECOND + "\nProxyJump gate", True),
        ("a host with a ProxyCommand", "ProxyJump gate" + GATE + "\nProxyCommand {python} {d}/relay.py %h %p", True),
        ("a host with a ProxyCommand that fails", "ProxyJump gate" + GATE + "\nProxyCommand false", False),
        ("none before a wildcard", "ProxyJump none\nHost *\nProxyJump nowhere", True),
        ("a wildcard that spares the jump host", "Host gate\nProxyJump none" + GATE + "\nHost *\nProxyJump gate", True),
        ("a negated pattern that spares the jump host", "Host * !gate\nProxyJump gate" + GATE, True),
        ("before a ProxyCommand", "ProxyJump gate\nProxyCommand false" + GATE, True),
        ("after a ProxyCommand", "ProxyCommand {python} {d}/relay.py %h %p\nProxyJump nowhere", True),
        ("with a token", "ProxyJump %n-gate\nHost h-gate\nPort {gate}\n" + GATE_KEY, True),
        ("a host that has a RemoteCommand", "ProxyJump gate" + GATE + "\nRemoteCommand tmux attach", True),
        ("a Match by the address", "Match host 127.0.0.1 originalhost h\nProxyJump gate" + GATE, True),
        ("not a host", "ProxyJump -oProxyCommand=true", False),
        ("with a port that is not a number", "ProxyJump gate:ssh" + GATE, False),
    )
}
OPENSSH = {
    "ProxyUseFdpass": Case(
        "IdentityFile {d}/good\nProxyCommand {python} {d}/relay.py %h %p pass\nProxyUseFdpass yes", True, openssh=True
    ),
}
CASES = PROXY_COMMANDS | JUMPS | OPENSSH


@rows(CASES)
def test_our_login_agrees_with_ssh(ssh_site: Site, case: Case, client: SshClient) -> None:
    assert_agreement(ssh_site, case, client)
