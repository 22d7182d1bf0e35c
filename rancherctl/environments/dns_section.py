"""Read ``spec.dns`` of an environment file: domain, upstreams, stub domains. Pure."""

from __future__ import annotations

from collections.abc import Callable

from rancherctl.environments import syntax
from rancherctl.environments.document import Section, is_null
from rancherctl.environments.model import Dns, Environment, Network
from rancherctl.net import split_server


def read_dns(spec: Section, network: Network) -> Dns:
    """The section, or defaults; adds what is wrong to the problems. ``network`` says where hosts serve DNS."""
    section = spec.section("dns")
    own = Environment("", (), network=network).dns_addresses()

    def server(text: str) -> str:
        return syntax.resolver(text) or (
            ""
            if split_server(text, 53) not in [(one, 53) for one in own]
            else f"{text} is the DNS server of each host itself: queries would loop"
        )

    federations = section.mapping("federations", lambda key, value: syntax.name(key) or syntax.domain(value))
    out = Dns(
        section.text("domain", "cluster.local", syntax.domain),
        section.texts("upstreams", server),
        federations,
        _stub_domains(section.section("stubDomains"), server),
        section.number("maxNegativeTTL", Dns().max_negative_ttl, 1, 3600),
    )
    section.finish()
    return out


def _stub_domains(section: Section, check: Callable[[str], str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    out: dict[str, tuple[str, ...]] = {}
    for written, node in section.children.items():
        servers, domain = section.texts(written, check), written.lower().removesuffix(".")
        if wrong := syntax.stub_domain(domain):
            section.problems.add(section.keys[written], f"{section.at(written)}: {wrong}")
        elif domain in out:
            section.problems.add(section.keys[written], f"{section.at(written)}: {domain} is given twice")
        elif is_null(node) or not node.value:
            section.bad(written, "at least one server is required")
        out[domain] = servers
    return tuple(sorted(out.items()))
