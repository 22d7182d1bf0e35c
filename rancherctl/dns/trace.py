"""Ask on a host for a name as a resolver does, step by step, and ask the upstream resolvers what they would answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rancherctl.contract import ETC
from rancherctl.dns import lookup, named_conf, names, pod_netns, search, status
from rancherctl.dns.lookup import Answer
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.search import Resolver
from rancherctl.errors import NotFoundError

KUBELET_CONFIG = Path(ETC) / "kubelet.yaml"
PROC = Path("/proc")
_RESOLV_CONF = re.compile(r"^resolvConf:\s*[\"']?(/[^\s\"']+)", re.MULTILINE)
TIMEOUT = 3.0
"""Seconds for one question to one server."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: a pod of ``namespace``; with ``uid`` the pod itself, from its network, with its resolv.conf.

    ``address`` is the pod's, ``uid`` as the kubelet knows it.
    """

    namespace: str = "default"
    address: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """This host's files; tests have others."""

    kubelet_config: Path = KUBELET_CONFIG
    proc: Path = PROC
    section: Path = status.RUN_FILE

    def resolver(self) -> Resolver:
        """The host's own resolver configuration, from which the kubelet takes search domains for pods."""
        found = _RESOLV_CONF.search(_text(self.kubelet_config))
        path = Path(found[1] if found else "/etc/resolv.conf")
        return search.of_resolv_conf(_text(path), str(path))

    def pod_resolver(self, uid: str) -> Resolver:
        """The resolv.conf that a pod's containers see. NotFoundError if no process of the pod runs here."""
        marks = (f"pod{uid}", f"pod{uid.replace('-', '_')}")
        for cgroup in sorted(self.proc.glob("[0-9]*/cgroup"), key=lambda path: int(path.parent.name)):
            if any(mark in _text(cgroup) for mark in marks):
                text = _text(cgroup.parent / "root/etc/resolv.conf")
                if text:
                    return search.of_resolv_conf(text, "the pod's /etc/resolv.conf")
        raise NotFoundError(
            "no process of the pod runs on this host", hint="the pod may have ended or moved; try again"
        )


def _text(path: Path) -> str:
    """The file's text; "" if it does not exist or its process has just ended."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return ""


def trace(config: DnsHostConfig, name: str, kind: str, client: Client, host: Host | None = None) -> Row:
    """Ask for ``name`` as the client's resolver does, until a name has records or no server answers.

    A pod asks the servers of its resolv.conf; else each address of this host's server is asked.
    """
    host = host or Host()
    if client.uid:
        resolver = host.pod_resolver(client.uid)
        servers = resolver.nameservers
    else:
        servers = config.addresses
        resolver = search.of_namespace(client.namespace, config.domain, servers, host.resolver())
    asked = search.questions(name, kind, resolver)

    def walk() -> list[Row]:
        return _walk(config, *asked, servers)

    rows = pod_netns.run_in_netns(client.address, walk) if client.address else walk()
    section = status.read_section(host.section) or {}
    upstreams = section.get("upstreams") or {}
    return {
        "node": config.node,
        "resolver": resolver.as_json(),
        "servers": list(config.addresses),
        "asked": rows,
        "upstreams": upstreams,
        "direct": _direct(config, rows, upstreams),
    }


def _walk(config: DnsHostConfig, absolute: Sequence[str], kinds: Sequence[str], servers: Sequence[str]) -> list[Row]:
    """Ask for one name after the other; all types of a name at all servers at once."""
    zones = frozenset(named_conf.zones(config))
    rows: list[Row] = []
    with ThreadPoolExecutor(2 * len(kinds) * max(len(servers), 1), thread_name_prefix="resolver") as pool:

        def ask(name: str, kind: str) -> list[Answer]:
            return list(pool.map(lambda server: _query(name, kind, server, config.port), servers))

        for name in absolute:
            zone = names.zone_of(name, zones)
            known = [pool.submit(_cached, name, kind, servers, config.port) for kind in kinds if not zone]
            cached: list[bool | None] = [one.result() for one in known] or [None] * len(kinds)
            answers = [one.result() for one in [pool.submit(ask, name, kind) for kind in kinds]]
            rows += [
                {
                    "name": name,
                    "type": kind,
                    "zone": zone,
                    "stub": stub_domain(name, config.stub_domains),
                    "cached": before,
                    "answers": [answer.as_json() for answer in part],
                }
                for kind, before, part in zip(kinds, cached, answers, strict=True)
            ]
            every = [answer for part in answers for answer in part]
            if any(answer.records for answer in every) or not any(answer.rcode for answer in every):
                break
    return rows


def _query(name: str, kind: str, server: str, port: int) -> Answer:
    return lookup.query_local(name, kind, (server,), port=port, timeout=TIMEOUT)[0]


def _cached(name: str, kind: str, servers: Sequence[str], port: int) -> bool:
    """Whether the first server has an answer in its cache; one that knows nothing refers to others or fails."""
    (answer,) = lookup.query_local(name, kind, servers[:1], port=port, timeout=TIMEOUT, recursive=False) or (
        Answer("", ""),
    )
    negative = answer.rcode in ("NOERROR", "NXDOMAIN") and any(record[2] == "SOA" for record in answer.authority)
    return bool(answer.records) or negative


def stub_domain(name: str, domains: Iterable[str]) -> str:
    """The longest of the domains that contains an absolute name; "" if none does."""
    return names.zone_of(name, frozenset(f"{domain}." for domain in domains)).removesuffix(".")


def _direct(config: DnsHostConfig, rows: Sequence[Row], upstreams: Row) -> list[Row]:
    """What each upstream answers itself, for the names that this host does not answer from its own zones."""
    zones = frozenset(named_conf.zones(config))
    jobs: list[tuple[str, str, str]] = []
    for name, kind in dict.fromkeys((name, row["type"]) for row in rows for name in (row["name"], *_targets(row))):
        if not names.zone_of(name, zones):
            stub = stub_domain(name, config.stub_domains)
            jobs += [(name, kind, server) for server in upstreams_of(stub, config, upstreams)]
    if not jobs:
        return []

    def ask(job: tuple[str, str, str]) -> Row:
        name, kind, server = job
        (answer,) = lookup.query_local(name, kind, (server,), timeout=TIMEOUT)
        return {"name": name, "type": kind, "answer": answer.as_json()}

    with ThreadPoolExecutor(min(len(jobs), 16), thread_name_prefix="upstream") as pool:
        return list(pool.map(ask, jobs))


def upstreams_of(stub: str, config: DnsHostConfig, section: Row) -> tuple[str, ...]:
    """The servers that this host may ask for names of a stub domain ("" = all other names), as its agent spells them.

    Agents of earlier releases report no servers, but which upstreams are ``used`` and ``dead``.
    """
    reported = [row["server"] for row in section.get("servers") or () if row["domain"] == stub]
    known = config.stub_domains[stub] if stub else (*(section.get("used") or ()), *(section.get("dead") or ()))
    return tuple(dict.fromkeys(reported or known))


def _targets(row: Row) -> list[str]:
    """The names that aliases in the answers point to."""
    return [r["data"].lower() for answer in row["answers"] for r in answer["records"] if r["type"] == "CNAME"]
