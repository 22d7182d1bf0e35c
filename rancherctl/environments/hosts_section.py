"""Read ``spec.hosts`` and ``spec.ssh`` of an environment file. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from rancherctl.environments import syntax
from rancherctl.environments.document import Section, is_null, suggestion
from rancherctl.hosts.model import ROLES, Host, Role, SshAddress, SshClient

if TYPE_CHECKING:
    import yaml


def read_hosts(spec: Section) -> tuple[tuple[Host, ...], dict[str, yaml.Node]]:
    """The hosts, and where each is in the file, by its index as text; adds what is wrong to the problems."""
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
