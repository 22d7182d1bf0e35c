"""Parse the environment file or ``--host`` flags into an Environment, or report all problems at once. Pure.

Reading the file, the keyring and expanding ``~`` are the caller's work. Paths in ``ssh`` stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from rancherctl.contract import API_VERSION
from rancherctl.environments import file_checks, syntax
from rancherctl.environments.dns_section import read_dns
from rancherctl.environments.document import Problems, Section, compose, is_null, suggestion
from rancherctl.environments.model import (
    DEFAULT_KUBERNETES,
    KIND,
    Api,
    Environment,
    ExternalNames,
    FederationSettings,
    IngressSettings,
    LoggedRequests,
    Mode,
    Network,
    Offline,
    Provider,
    ServiceSettings,
    TlsRedirect,
    WhenNone,
)
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.model import ROLES, Host, Role, SshAddress, SshClient
from rancherctl.net import canonical_network, parse_port, split_host_port
from rancherctl.text import plural

if TYPE_CHECKING:
    import yaml

MODES: tuple[Mode, ...] = ("routed", "vxlan", "none")
EXTERNAL_NAMES: tuple[ExternalNames, ...] = ("allow", "deny")
LOGGED_REQUESTS: tuple[LoggedRequests, ...] = ("errors", "all", "none")
TLS_REDIRECTS: tuple[TlsRedirect, ...] = ("auto", "off")
PROVIDERS: tuple[Provider, ...] = ("rfc2136", "none")
OFFLINE: tuple[Offline, ...] = ("drop", "keep")
WHEN_NONE: tuple[WhenNone, ...] = ("keep", "remove")
MIN_TTL, MAX_TTL = 1, 86400
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
    """The checks of ``_federation`` for values that came as flags."""
    checks = [("--zone", syntax.domain(federation.zone) if federation.zone else "is required")]
    checks += [("--provider", _one_of(PROVIDERS)(federation.provider))]
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
    hosts, places = _hosts(spec)
    kubernetes = spec.section("kubernetes")
    version = file_checks.canonical_version(kubernetes.text("version", DEFAULT_KUBERNETES, file_checks.version))
    kubernetes.finish()
    places |= {key: node for key in ("network", "hosts", "dns") if (node := spec.get(key)) is not None}
    if (node := spec.section("api").children.get("port")) is not None:
        places["port"] = node
    if (node := spec.get("federation")) is not None:
        places["federation"] = node
    network = _network(spec)
    environment = Environment(
        name,
        hosts,
        version,
        labels,
        network,
        read_dns(spec, network),
        _api(spec),
        _ingress(spec),
        _services(spec),
        _federation(spec),
    )
    spec.finish()
    root.finish()
    return environment, places


def _network(spec: Section) -> Network:
    section, default = spec.section("network"), Network()
    mode = section.text(
        "mode", default.mode, lambda t: "" if t in MODES else f"unknown mode {t!r}{suggestion(t, MODES)}"
    )
    pods, services = (
        section.text("podCIDR", default.pod_cidr, syntax.cidr),
        section.text("serviceCIDR", default.service_cidr, syntax.cidr),
    )
    seconds = section.number("checkSeconds", default.check_seconds, 5, 3600)
    opened = section.flag("openFirewall", default=default.open_firewall)
    out = Network(pods, services, cast("Mode", mode), seconds, opened)
    section.finish()
    return out


def _api(spec: Section) -> Api:
    section = spec.section("api")
    address, names = section.text("address", "", syntax.san), section.texts("extraSANs", syntax.san)
    # certificates contain the usual spelling: with another one they would always differ from the file
    out = Api(
        syntax.canonical(address),
        section.number("port", 6443, 1, 65535),
        tuple(syntax.canonical(name) for name in names),
    )
    section.finish()
    return out


def _ingress(spec: Section) -> IngressSettings:
    section, out = spec.section("ingress"), IngressSettings()
    proxies = (section.texts(key, syntax.proxy_network) for key in ("trustedProxies", "proxyProtocol"))
    trusted, speaking = (tuple(dict.fromkeys(map(canonical_network, listed))) for listed in proxies)
    names = section.text(
        "externalNames",
        out.external_names,
        lambda t: "" if t in EXTERNAL_NAMES else f"must be allow or deny, not {t!r}",
    )
    logged = section.text(
        "accessLog", out.access_log, lambda t: "" if t in LOGGED_REQUESTS else f"must be errors, all or none, not {t!r}"
    )
    out = replace(
        out,
        access_log=cast("LoggedRequests", logged),
        default_class=section.flag("defaultClass", default=out.default_class),
        trusted_proxies=trusted,
        proxy_protocol=speaking,
        external_names=cast("ExternalNames", names),
    )
    tls = section.section("tls")
    redirect = tls.text(
        "redirect", out.tls_redirect, lambda t: "" if t in TLS_REDIRECTS else f"must be auto or off, not {t!r}"
    )
    certificate = tls.text("defaultCertificate", "", syntax.secret)
    out = replace(
        out,
        tls_redirect=cast("TlsRedirect", redirect),
        default_certificate=certificate,
        keys_on_disk=tls.flag("keysOnDisk", default=out.keys_on_disk),
    )
    tls.finish()
    chosen = section.section("hosts")
    if section.get("hosts") is not None:
        role = chosen.text("role", "", lambda t: "" if t in ROLES else f"unknown role {t!r}{suggestion(t, ROLES)}")
        out = replace(out, role=role, labels=chosen.mapping("labels", syntax.label))
        chosen.finish()
    section.finish()
    return out


def _services(spec: Section) -> ServiceSettings:
    section = spec.section("services")
    default = section.flag("default", default=True) if section.get("default") is not None else None
    section.finish()
    return ServiceSettings(default)


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: "" if text in known else f"must be {' or '.join(known)}, not {text!r}"


def _federation(spec: Section) -> FederationSettings | None:
    if spec.get("federation") is None:
        return None
    section = spec.section("federation")
    default = FederationSettings("")

    if section.get("zone") is None:
        section.bad("zone", "is required")
    out = FederationSettings(
        section.text("zone", "", syntax.domain),
        cast("Provider", section.text("provider", default.provider, _one_of(PROVIDERS))),
        section.texts("servers", syntax.name_server),
        section.texts("transferServers", syntax.name_server),
        section.number("ttl", default.ttl, MIN_TTL, MAX_TTL),
        cast("Offline", section.text("offline", default.offline, _one_of(OFFLINE))),
        cast("WhenNone", section.text("whenNone", default.when_none, _one_of(WHEN_NONE))),
    )
    section.finish()
    return out


def _hosts(spec: Section) -> tuple[tuple[Host, ...], dict[str, yaml.Node]]:
    base = _ssh(spec.section("ssh"), SshAddress(""))
    import yaml

    hosts: list[Host] = []
    places: dict[str, yaml.Node] = {}
    listed = spec.items("hosts")
    for place, node in listed:
        section = Section(spec.problems, place, node)
        if not isinstance(node, yaml.MappingNode) and not is_null(node):
            continue  # the missing fields would only repeat the problem
        host = _host(section, base)
        places[f"{len(hosts)}"] = node
        hosts.append(host)
        section.finish()
    given = spec.get("hosts")
    if given is None or (isinstance(given, yaml.SequenceNode) and not listed):
        spec.bad("hosts", "at least one host is required")
    return tuple(hosts), places


def _host(section: Section, base: SshAddress) -> Host:
    for key in ("name", "address", "roles"):
        if section.get(key) is None:
            section.bad(key, "is required")
    address = section.text("address", "", syntax.address)
    roles = section.texts("roles", lambda t: "" if t in ROLES else f"unknown role {t!r}{suggestion(t, ROLES)}")
    if (given := section.get("roles")) is not None and not given.value:
        section.bad("roles", f"at least one is required: {', '.join(ROLES)}")
    return Host(
        name=section.text("name", "", syntax.host_name),
        address=address,
        roles=cast("frozenset[Role]", frozenset(roles)),
        ssh=_ssh(section.section("ssh"), replace(base, host=base.host or address)),
        public_address=section.text("publicAddress", "", syntax.address),
        labels=section.mapping("labels", syntax.label),
    )


def _ssh(section: Section, base: SshAddress) -> SshAddress:
    out = SshAddress(
        host=section.text("host", base.host, syntax.ssh_host),
        user=section.text("user", base.user, syntax.user),
        port=section.number("port", base.port, 0, 65535),
        identity=section.text("identity", base.identity, syntax.path),
        config=section.text("config", base.config, syntax.path),
        known_hosts=section.text("knownHosts", base.known_hosts, syntax.path),
        jump=section.text("jump", base.jump, syntax.jump),
        client=cast("SshClient", section.text("client", base.client, syntax.ssh_client)),
    )
    section.finish()
    return out
