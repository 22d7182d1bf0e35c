"""Match, Host, Include and values of ssh configurations: where ``ssh HOST true`` logs in, our login does."""

from __future__ import annotations

from rancherctl.hosts.model import SshClient
from tests.fakes.openssh import client_version
from tests.fakes.ssh_site import Case, Site, assert_agreement, rows

KEY = "IdentityFile {d}/good\nIdentitiesOnly yes"
MATCHES = {
    f"Match {what}": Case(f"IdentitiesOnly yes\nMatch {lines}\n{KEY}", works)
    for what, lines, works in (
        ("host, as typed", "host h", True),
        ("host of others", "host other", False),
        ("host with patterns", "host other,?", True),
        ("host, negated", "host *,!h", False),
        ("originalhost", "originalhost h", True),
        ("originalhost, the address", "originalhost 127.0.0.1", False),
        ("user", "user {user}", True),
        ("user of others", "user someone", False),
        ("localuser", "localuser {user}", True),
        ("localuser of others", "localuser no-such-user", False),
        ("all", "all", True),
        ("exec that succeeds", "exec true", True),
        ("exec that fails", "exec false", False),
        ("exec with tokens", 'exec "test %n-%r = h-{user}"', True),
        ("exec with quotes and a variable", "exec \"test -n '$KEYS'\"", True),
        ("exec, negated", "!exec false", True),
        ("exec that reads its input", 'exec "cat >/dev/null"', True),
        ("host and exec", "host h exec true", True),
        ("host and exec that fails", "host h exec false", False),
        ("final", "final host 127.0.0.1", True),
        ("final all", "final all", True),
        ("final, host as typed", "final host h", False),
        ("canonical without CanonicalizeHostname", "canonical all", False),
        ("that does not exist", "nothing h", False),
    )
}
INCLUDES = {
    f"Include: {what}": Case(lines, works)
    for what, lines, works in (
        ("a file", "Include {d}/conf.d/10-key.conf", True),
        ("a pattern", "Include {d}/conf.d/*.conf", True),
        ("a pattern without files", "Include {d}/conf.d/*.none\n" + KEY, True),
        ("a file that does not exist", "Include {d}/conf.d/none\n" + KEY, True),
        ("nested", "Include {d}/conf.d/nested", True),
        ("two files in a line", "Include {d}/conf.d/none {d}/conf.d/10-key.conf", True),
        ("hosts in it", "Include {d}/conf.d/hosts\nIdentitiesOnly yes", True),
        ("within the block of another host", "Host other\nInclude {d}/conf.d/10-key.conf", False),
        ("with an error in it", "Include {d}/conf.d/wrong\n" + KEY, False),
        ("of itself", "Include {d}/conf.d/loop\n" + KEY, False),
        ("in quotes", 'Include "{d}/conf.d/10-key.conf"', True),
        ("with the user's home", "Include ~{user}/../{d}/conf.d/10-key.conf", True),
        ("a folder", "Include {d}/conf.d\n" + KEY, True),
    )
}
HOSTS = {
    f"Host: {what}": Case(f"IdentitiesOnly yes\nHost {lines}\n{KEY}", works, host=host)
    for what, host, lines, works in (
        ("a pattern", "h", "?", True),
        ("several names", "h", "a h b", True),
        ("negated", "h", "* !h", False),
        ("negated first", "h", "!other *", True),
        ("only a negation", "h", "!other", False),
        ("the address is not matched", "h", "127.0.0.1", False),
        ("other letters", "H1", "h1", False),
        ("with an equals sign", "h", "=h", True),
        ("a name with a dot", "web.corp.example", "*.corp.example", True),
    )
}
VALUES = {
    what: Case(f"{KEY}\n{lines}", works)
    for what, lines, works in (
        ("Port twice: the first counts", "Port {port}\nPort 1", True),
        ("Port in two blocks: the first counts", "Port {port}\nHost h\nPort 1", True),
        ("Port in two blocks: the wrong one first", "Port 1\nHost h\nPort {port}", False),
        ("Port of a wildcard before", "Host *\nPort 1", False),
        ("Port that is not a number", "Port ssh-port", False),
        ("User that does not exist", "User no-such-user", False),
        ("HostName with a token", "HostName 127.0.0.1%%\nHost h\nHostName 127.0.0.1", False),
        ("HostName localhost", "HostName localhost\nHostKeyAlias [127.0.0.1]:{port}", True),
        ("HostName of an unusual form", "HostName 127.1\nHostKeyAlias [127.0.0.1]:{port}", True),
        ("CanonicalizeHostname without domains", "CanonicalizeHostname yes", True),
        ("an unknown option", "NoSuchOption yes", False),
        ("an unknown option that is ignored", "IgnoreUnknown NoSuch*\nNoSuchOption yes", True),
        ("a deprecated option", "UsePrivilegedPort no", True),
        ("a value that is not valid", "StrictHostKeyChecking perhaps", False),
        ("options with equals signs", "Port = {port}\nUser={user}", True),
        ("comments", "# a comment\nPort {port} # of the server", True),
        ("options in other letters", "PORT {port}", True),
        ("quotes that do not end", 'User "{user}', False),
    )
}
TOKENS = {
    "%h in HostName": Case("HostName 127.0.0.%h\nHostKeyAlias [127.0.0.1]:{port}\n" + KEY, True, host="1"),
}
TAGS = {
    f"Tag: {what}": Case(f"IdentitiesOnly yes\nTag {tag}\nMatch tagged {wanted}\n{KEY}", works)
    for what, tag, wanted, works in (
        ("matches", "work", "work", True),
        ("matches a pattern", "work", "w*", True),
        ("is another", "home", "work", False),
    )
    if client_version() >= (9, 4)
}
CASES = MATCHES | INCLUDES | HOSTS | VALUES | TOKENS | TAGS


@rows(CASES)
def test_our_login_agrees_with_ssh(ssh_site: Site, case: Case, client: SshClient) -> None:
    assert_agreement(ssh_site, case, client)
