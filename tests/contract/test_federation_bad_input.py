"""Bad input of the federation's commands: all problems at once, with place and remedy, and nothing is changed.

What annotations of federated Services may not be is in tests/unit/federation/test_selectors: it is reported on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.federation.operator import delegation
from tests.fakes.env_operations import applying
from tests.fakes.federation_desk import Desk
from tests.fakes.ports import free_port
from tests.fakes.public_dns import ZONE, PublicDns

CREATE = ("federation", "create", "new", "--host", "root@10.0.0.99", "--zone", ZONE)
KEY = 'key "acme" { algorithm hmac-sha256; secret "c2VjcmV0"; };'


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicDns]:
    with PublicDns(tmp_path_factory.mktemp("bind")) as server:
        yield server


@dataclass(frozen=True)
class Bad:
    """A command line with bad input, its exit code, and what its message must say."""

    words: str
    code: int
    parts: tuple[str, ...]


TABLE: dict[str, Bad] = {
    "create without anything": Bad(
        "federation create",
        2,
        ("name: is required", "--host: at least one --host is required", "--zone: is required", "--server: provider"),
    ),
    "create with everything wrong": Bad(
        "federation create Acme_1 --host root@10.0.0.999 --zone acme_example --provider route53"
        " --server a..b --server 10.0.0.53:0 --dns-key-file /proc/none/key",
        2,
        (
            "name: 'Acme_1' must be 1 to 63 lower-case letters",
            "'10.0.0.999' is not an IPv4 address",
            "--zone: 'acme_example' is not a domain name",
            "--provider: must be rfc2136 or none, not 'route53'",
            "--server: 'a..b' is not the address of a name server",
            "--server: '0' is not a port",
            "--dns-key-file: /proc/none/key: no such file (tsig-keygen prints a key)",
        ),
    ),
    "create with a name of DNS": Bad(
        f"federation create svc --host root@10.0.0.99=worker --zone {ZONE} --provider none --server 10.0.0.53",
        2,
        (
            "name: 'svc' means something else in DNS names",
            "a federation runs no workloads; leave out the role worker",
            "--server: provider none uses no servers",
        ),
    ),
    "create with a long name": Bad(
        f"federation create {'a' * 42} --host root@10.0.0.99 --zone {ZONE} --provider none",
        2,
        ("name: the name of a federation may have 41 characters, not 42",),
    ),
    "create without its key file": Bad(
        f"{' '.join(CREATE)} --server 10.0.0.53 --dns-key-file /proc/none/key", 3, ("/proc/none/key: no such file",)
    ),
    "create from a file and options": Bad(
        "federation create -f acme.yaml --provider none --zone x.example",
        2,
        ("--file cannot be combined with --zone, --provider",),
    ),
    "join with bad options": Bad(
        "federation join acme --env acme --label a_b/c=d --label env --label tier=x! --label a=1 --label a=2"
        " --address 203.0.113.7/24 --address web.example",
        2,
        (
            "'a_b/c' is not a label key",
            "'env' is not of the form KEY=VALUE",
            "'x!' is not a label value",
            "a is given twice",
            "'203.0.113.7/24' is neither an address nor a network without host bits",
            "'web.example' is neither",
            "--env: acme is the federation itself",
        ),
    ),
    "join itself": Bad("federation join acme --env acme", 2, ("acme is the federation itself",)),
    "join an environment": Bad("federation join m1 --env m2", 2, ("environment 'm1' is not a federation",)),
    "join an unknown federation": Bad("federation join acmee --env m2", 3, ('did you mean "acme"?',)),
    "join by a name that DNS does not allow": Bad("federation join A_b --env m2", 2, ("'A_b' is not a valid name",)),
    "join an unknown environment": Bad("federation join acme --env m3", 3, ("environment 'm3' not found",)),
    "leave without a decision": Bad("federation leave m1", 2, ("--services keep or --services delete is required",)),
    "leave with another word": Bad("federation leave m1 --services drop", 2, ("--services keep or",)),
    "leave of an unknown member": Bad(
        "federation leave m11 --services keep", 3, ("'m11' is not a member of acme", 'did you mean "m1"?')
    ),
    "leave of an environment that has not joined": Bad(
        "federation leave m2 --services delete", 3, ("'m2' is not a member of acme", "members: m1")
    ),
    "leave of an unknown member by force": Bad(
        "federation leave m3 --services keep --force", 3, ("'m3' is not a member of acme", "members: m1")
    ),
    "drain of an unknown member": Bad("federation drain paris", 3, ("'paris' is not a member of acme", "members: m1")),
    "undrain of an unknown member": Bad("federation undrain M_1", 3, ("'M_1' is not a member of acme",)),
    "sync of an unknown member": Bad("federation sync m9 --force", 3, ("'m9' is not a member of acme", "members: m1")),
    "sync of another zone": Bad(
        "federation sync acme.exampl1e --force",
        3,
        ("'acme.exampl1e' is neither a member of acme nor its zone", "its zone is acme.example"),
    ),
    "an unknown Service": Bad("federation services web", 3, ("'web' is not a federated Service",)),
    "a name of a federation that is none": Bad("federation ls --federation m1", 2, ("'m1' is not a federation",)),
    "labels that do not parse": Bad(
        "env label m1 a!=b c d=e/f kubernetes.io/x=y env=1 env-",
        2,
        (
            "'a!' is not a label key",
            "'c' is neither KEY=VALUE nor KEY-",
            "'e/f' is not a label value",
            "are set by Kubernetes or rancherctl",
            "env is both set and removed",
        ),
    ),
}


@pytest.mark.parametrize("what", TABLE)
def test_bad_input_is_refused_with_all_its_problems(desk: Desk, what: str) -> None:
    bad = TABLE[what]
    desk.refused(bad.words.split(), bad.code, bad.parts)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"\xff\xfe", "not valid UTF-8"),
        (b"", "it has no key statement"),
        (KEY.encode() * 2, "it has 2 keys, one is needed"),
        (b'key "a b" { secret "x"; };', "expected: key"),
        (KEY.replace("sha256", "md5").replace("c2VjcmV0", "?").encode(), "'hmac-md5' is not supported"),
        (None, "Is a directory"),
    ],
    ids=["binary", "empty", "two keys", "a name with a space", "algorithm and secret", "a folder"],
)
def test_a_key_file_that_cannot_be_used(desk: Desk, tmp_path: Path, content: bytes | None, part: str) -> None:
    """Alone it has its own message; beside other problems it is one line of them. The secret is never shown."""
    file = tmp_path / "key"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    done = desk.refused((*CREATE, "--server", "10.0.0.53", "--dns-key-file", str(file)), 2, (part, str(file)))
    assert "c2VjcmV0" not in done.err
    words = ("federation", "create", "new", "--zone", "x_y", "--server", "10.0.0.53", "--dns-key-file", str(file))
    desk.refused(words, 2, (part, "--dns-key-file: ", "--zone: 'x_y' is not", "at least one --host"))


# The zone, its servers and its key


def key_file(tmp_path: Path, server: PublicDns, **replaced: str) -> str:
    """The key of a server in a file; ``replaced``: with another secret or algorithm."""
    text = server.key_file().read_text()
    for old, new in replaced.items():
        text = text.replace(old, new)
    (tmp_path / "zone.key").write_text(text)
    return str(tmp_path / "zone.key")


def test_a_zone_that_its_server_does_not_serve(desk: Desk, bind: PublicDns, tmp_path: Path) -> None:
    """Federation v1 made a zone that nothing used; here none is made. Every server that is asked has its line."""
    words: tuple[str, ...] = ("federation", "create", "new", "--host", "root@10.0.0.99", "--zone", "nosuch.example")
    words += ("--server", bind.address, "--server", bind.address, "--dns-key-file", key_file(tmp_path, bind))
    done = desk.refused(
        words,
        1,
        (
            "the names of new cannot be published in nosuch.example",
            f"DNS server {bind.address} does not serve zone nosuch.example",
            "create the zone there, or check zone and servers",
            "nothing was changed",
        ),
    )
    assert done.err.count("does not serve zone") == 2


@pytest.mark.parametrize(
    ("replaced", "part"),
    [
        ({"acme-256": "nosuch"}, "it has no key named nosuch with the algorithm hmac-sha256"),
        ({"hmac-sha256": "hmac-sha512"}, "it has no key named acme-256 with the algorithm hmac-sha512"),
        ({'secret "': 'secret "AAAA'}, "the secret of key acme-256 is not the server's"),
    ],
    ids=["another name", "another algorithm", "another secret"],
)
def test_a_key_that_the_server_refuses(
    desk: Desk, bind: PublicDns, tmp_path: Path, replaced: dict[str, str], part: str
) -> None:
    serial = bind.dig(ZONE, "SOA")
    words = (*CREATE, "--server", bind.address, "--dns-key-file", key_file(tmp_path, bind, **replaced))
    desk.refused(words, 1, (part, "compare key", "nothing was changed"))
    assert bind.dig(ZONE, "SOA") == serial


def test_a_clock_that_differs(desk: Desk, bind: PublicDns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr("dns.message.time.time", lambda: now() - 400)
    words = (*CREATE, "--server", bind.address, "--dns-key-file", key_file(tmp_path, bind))
    desk.refused(words, 1, ("refuses the time of the signature", "set both clocks"))


class _Reached(RancherctlError):
    """The create would begin now."""


def test_what_does_not_prevent_a_create_is_said(
    desk: Desk, bind: PublicDns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zone that is not delegated, and a server that this machine does not reach: warnings with their remedies."""
    monkeypatch.setattr(delegation, "PRIVATE", frozenset())
    monkeypatch.setattr(delegation, "system_resolver", lambda: lambda zone: ())
    applying(monkeypatch, _Reached("begins"), begun=False)
    empty = Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    monkeypatch.setattr("rancherctl.cli.env.work_context.resolve", lambda *args: empty)
    off = f"127.0.0.1:{free_port()}"
    words = ("--server", bind.address, "--server", off, "--dns-key-file", key_file(tmp_path, bind))
    done = desk.run(*CREATE, *words)
    assert "begins" in done.err
    assert f"warning: zone {ZONE} is not delegated" in done.err
    assert f"add NS records to its parent zone: {ZONE} NS ns1.{ZONE}, ns2.{ZONE}" in done.err
    assert f"warning: DNS server {off} does not accept connections" in done.err
    assert f"zone {ZONE} was not checked there" in done.err


# Members


def _in_the_way(desk: Desk) -> tuple[str, ...]:
    """Put three things into m2 that prevent a join; their lines."""
    for name in ("acme", "rancherctl-federation-other", "rancherctl-federation-acme"):
        desk.namespace(name, "m2")
    return (
        "m2 is a member of the federation other: it must leave that one first",
        "m2 has a namespace called acme",
        "belongs to an older federation with this name (uid unknown): kubectl delete namespace",
    )


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--renew", "--label", "env=prod")])
def test_every_reason_against_a_join_is_said_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """Cases 30, 31: a member of another federation, a namespace in the way, a path that is closed, a member twice."""
    monkeypatch.setattr("rancherctl.cli.member_join._reachable", lambda *_: lambda server: "Connection refused")
    desk.apis["m2"].store.put("/api/v1/namespaces", "", {"metadata": {"name": "kube-system", "uid": "uid-m1"}})
    parts = (
        *_in_the_way(desk),
        "this environment is already the member m1 of acme",
        "the federation's host cannot reach http://127.0.0.1:",
        "Connection refused; open the way, or set spec.api.address of m2",
        "m2 cannot join the federation acme: 5 problems",
        "nothing was changed",
    )
    desk.refused(("federation", "join", "acme", "--env", "m2", *more), 1, parts)


def test_a_federation_under_another_name_is_still_the_federation(desk: Desk) -> None:
    """karmada#1350, kubefed#593: a control plane that joined itself was destroyed when it left."""
    other = replace(desk.known.read("m2"), name="paris")
    desk.know("paris", desk.apis["acme"].url, other)
    desk.refused(("federation", "join", "acme", "--env", "paris"), 1, ("paris is the federation itself",))


def test_a_way_that_cannot_be_checked_hides_no_other_problem(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The federation's host does not answer by ssh: alone that is an error of its own, else one line of several."""

    def no_ssh(*_: object) -> Callable[[str], str]:
        def ask(server: str) -> str:
            raise UnreachableError("h1 (10.0.0.31): no answer on port 22", hint="start the host")

        return ask

    monkeypatch.setattr("rancherctl.cli.member_join._reachable", no_ssh)
    words = ("federation", "join", "acme", "--env", "m2")
    desk.refused(words, 7, ("h1 (10.0.0.31): no answer on port 22", "start the host"))
    unknown = "whether the federation's host reaches m2 could not be checked: h1 (10.0.0.31): no answer"
    desk.refused(words, 1, (*_in_the_way(desk), unknown))
