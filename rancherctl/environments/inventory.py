"""Parse the environment file or ``--host`` flags into an Environment, or report all problems at once. Pure.

Reading the file, the keyring and expanding ``~`` are the caller's work. Paths in ``ssh`` stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from rancherctl.contract import API_VERSION
from rancherctl.environments import file_checks, syntax
from rancherctl.environments.dns_section import read_dns
from rancherctl.environments.document import Problems, Section, compose, suggestion
from rancherctl.environments.hosts_section import read_hosts
from rancherctl.environments.model import DEFAULT_KUBERNETES, KIND, Environment, FederationSettings
from rancherctl.environments.settings_sections import (
    PROVIDERS,
    read_api,
    read_federation,
    read_ingress,
    read_network,
    read_services,
)
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.model import ROLES, Host, Role, SshAddress
from rancherctl.net import parse_port, split_host_port
from rancherctl.text import plural

if TYPE_CHECKING:
    import yaml

_FEDERATION_HINT = "write: rancherctl federation create NAME --host USER@ADDRESS --zone DOMAIN --server ADDRESS"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The environment of a file, and warnings about it."""

    environment: Environment
    warnings: tuple[str, ...] = ()


def load(text: str, source: str = "environment") -> Loaded:
    """Parse an environment's YAML. ``source`` is its name in problems; InvalidInputError lists all of them."""
    import yaml

    problems = Problems(source)
    root = compose(text, problems)
    if root is None:
        raise InvalidInputError(
            f"{source} is not an environment", problems.lines(), hint="rancherctl help environment describes the file"
        )
    environment, places = _environment(Section(problems, "", root))
    if not isinstance(root, yaml.MappingNode):  # the missing fields would only repeat the first problem
        problems.found = problems.found[:1]
        raise InvalidInputError(
            f"{source} is not an environment", problems.lines(), hint="rancherctl help environment describes the file"
        )
    warnings = file_checks.check(environment, places, problems)
    if problems.found:
        count = len(problems.lines())
        raise InvalidInputError(
            f"{source} has {plural(count, 'problem')}",
            problems.lines(),
            hint="correct the file; nothing was changed (rancherctl help environment describes it)",
        )
    return Loaded(environment, warnings)


def from_flags(
    name: str,
    hosts: Sequence[str],
    *,
    version: str = "",
    ssh: SshAddress | None = None,
    federation: FederationSettings | None = None,
) -> Loaded:
    """An environment from ``user@ip[:port][=role,role]`` flags; its hosts are named h1, h2 …

    A host without roles is a worker; if no host has etcd or controlplane, the first one without roles gets all three.
    ``ssh`` holds the defaults (identity, config, jump). A federation has no workers. InvalidInputError lists every
    invalid flag.
    """
    problems = Problems("--host")
    base = ssh or SshAddress("")
    parsed = [_flag(problems, index, flag, base) for index, flag in enumerate(hosts, 1)]
    found = [host for host in parsed if host is not None]
    if not hosts:
        problems.add(None, "at least one --host is required")
    bare = [index for index, host in enumerate(found) if not host.roles]
    first = bare[0] if bare and not any(host.is_a("controlplane") or host.is_a("etcd") for host in found) else -1
    found = [
        h if h.roles else replace(h, roles=_default_roles(first=i == first, federation=federation is not None))
        for i, h in enumerate(found)
    ]
    wrong = syntax.name(name) if name else "is required"
    if wrong:
        problems.add(None, f"name: {wrong}")
    environment = Environment(
        name,
        tuple(found),
        kubernetes=file_checks.canonical_version(version or DEFAULT_KUBERNETES),
        federation=federation,
    )
    if federation is not None:
        _check_federation_flags(federation, problems)
    warnings = file_checks.check(environment, {}, problems)
    if problems.found:
        lines = tuple(
            re.sub(r"^--host:\d+:\d+: (name: |--)?", lambda m: m[1] or "--host: ", line) for line in problems.lines()
        )
        if federation is not None:
            raise InvalidInputError("the flags do not describe a federation", lines, hint=_FEDERATION_HINT)
        raise InvalidInputError(
            "the --host flags do not describe an environment",
            lines,
            hint="write --host USER@ADDRESS[:PORT][=ROLE,ROLE]",
        )
    return Loaded(environment, warnings)


def _default_roles(*, first: bool, federation: bool) -> frozenset[Role]:
    """Roles of a host that was given without any."""
    if federation:
        return frozenset[Role](("etcd", "controlplane"))
    return frozenset(ROLES) if first else frozenset[Role](("worker",))


def _check_federation_flags(federation: FederationSettings, problems: Problems) -> None:
    """The checks of ``read_federation`` for values that came as flags."""
    checks = [("--zone", syntax.domain(federation.zone) if federation.zone else "is required")]
    checks += [("--provider", syntax.one_of(PROVIDERS)(federation.provider))]
    checks += [("--server", syntax.name_server(server)) for server in federation.servers]
    checks += [("--transfer-server", syntax.name_server(server)) for server in federation.transfer_servers]
    for flag, wrong in checks:
        if wrong:
            problems.add(None, f"{flag}: {wrong}")


def _flag(problems: Problems, index: int, flag: str, base: SshAddress) -> Host | None:
    target, _, roles = flag.partition("=")
    user, at, place = target.rpartition("@")
    address, port = split_host_port(place)
    number = None if port is None else parse_port(port)
    wrong = [syntax.address(address), syntax.user(user) if at else ""]
    wrong += [f"{port!r} is not a port"] if port is not None and number is None else []
    names = [r for r in roles.split(",") if r]
    wrong += [f"unknown role {r!r}{suggestion(r, ROLES)}" for r in names if r not in ROLES]
    bad = [w for w in wrong if w]
    for message in bad:
        problems.add(None, f"{flag!r}: {message}")
    if bad:
        return None
    ssh = replace(base, host=address, user=user or base.user, port=number or base.port)
    return Host(f"h{index}", address, cast("frozenset[Role]", frozenset(names)), ssh)


def _environment(root: Section) -> tuple[Environment, dict[str, yaml.Node]]:
    root.text("apiVersion", API_VERSION, lambda t: "" if t == API_VERSION else f"must be {API_VERSION}, not {t!r}")
    root.text("kind", KIND, lambda t: "" if t == KIND else f"must be {KIND}, not {t!r}")
    meta, spec = root.section("metadata"), root.section("spec")
    name = meta.text("name", "", syntax.name)
    if meta.get("name") is None:
        meta.bad("name", "is required")
    labels = meta.mapping("labels", syntax.label)
    meta.finish()
    hosts, places = read_hosts(spec)
    kubernetes = spec.section("kubernetes")
    version = file_checks.canonical_version(kubernetes.text("version", DEFAULT_KUBERNETES, file_checks.version))
    kubernetes.finish()
    places |= {key: node for key in ("network", "hosts", "dns") if (node := spec.get(key)) is not None}
    if (node := spec.section("api").children.get("port")) is not None:
        places["port"] = node
    if (node := spec.get("federation")) is not None:
        places["federation"] = node
    network = read_network(spec)
    environment = Environment(
        name,
        hosts,
        version,
        labels,
        network,
        read_dns(spec, network),
        read_api(spec),
        read_ingress(spec),
        read_services(spec),
        read_federation(spec),
    )
    spec.finish()
    root.finish()
    return environment, places
