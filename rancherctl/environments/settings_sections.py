"""Read ``spec.network``, ``api``, ``ingress``, ``services`` and ``federation`` of an environment file. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from rancherctl.environments import syntax
from rancherctl.environments.document import Section, suggestion
from rancherctl.environments.model import (
    Api,
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
from rancherctl.hosts.model import ROLES
from rancherctl.net import canonical_network

MODES: tuple[Mode, ...] = ("routed", "vxlan", "none")
EXTERNAL_NAMES: tuple[ExternalNames, ...] = ("allow", "deny")
LOGGED_REQUESTS: tuple[LoggedRequests, ...] = ("errors", "all", "none")
TLS_REDIRECTS: tuple[TlsRedirect, ...] = ("auto", "off")
PROVIDERS: tuple[Provider, ...] = ("rfc2136", "none")
OFFLINE: tuple[Offline, ...] = ("drop", "keep")
WHEN_NONE: tuple[WhenNone, ...] = ("keep", "remove")
MIN_TTL, MAX_TTL = 1, 86400


def read_network(spec: Section) -> Network:
    """``spec.network``, or defaults; adds what is wrong to the problems, as all of these do."""
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


def read_api(spec: Section) -> Api:
    """``spec.api``, or defaults."""
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


def read_ingress(spec: Section) -> IngressSettings:
    """``spec.ingress``, or defaults."""
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


def read_services(spec: Section) -> ServiceSettings:
    """``spec.services``, or defaults."""
    section = spec.section("services")
    default = section.flag("default", default=True) if section.get("default") is not None else None
    section.finish()
    return ServiceSettings(default)


def read_federation(spec: Section) -> FederationSettings | None:
    """``spec.federation``; None without it."""
    if spec.get("federation") is None:
        return None
    section = spec.section("federation")
    default = FederationSettings("")

    if section.get("zone") is None:
        section.bad("zone", "is required")
    out = FederationSettings(
        section.text("zone", "", syntax.domain),
        cast("Provider", section.text("provider", default.provider, syntax.one_of(PROVIDERS))),
        section.texts("servers", syntax.name_server),
        section.texts("transferServers", syntax.name_server),
        section.number("ttl", default.ttl, MIN_TTL, MAX_TTL),
        cast("Offline", section.text("offline", default.offline, syntax.one_of(OFFLINE))),
        cast("WhenNone", section.text("whenNone", default.when_none, syntax.one_of(WHEN_NONE))),
    )
    section.finish()
    return out
