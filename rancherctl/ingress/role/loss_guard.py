"""Detect a change that removes too much at once, and keep only the additions in it. Pure.

The API may have lost its data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rancherctl.hold import is_mass_loss
from rancherctl.ingress.haproxy import layout
from rancherctl.ingress.haproxy.client_certificates import NAMES_MAP
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.maps import map_entry
from rancherctl.ingress.haproxy.secured import CERTIFIED
from rancherctl.ingress.model import Model, servers_key

HOLD_SECONDS: Final = 30.0
"""How long a mass loss must last before the host applies it."""
FLOOR: Final = 10
"""So many backends may lose all their servers at once, in an environment of any size."""


def mass_loss(now: Layout, model: Model) -> str:
    """Describe a loss of servers that needs a second opinion; "" if ``model`` takes away little."""
    had = {p.backend for p in now.pools if p.backend and p.servers}
    served = {key for key, servers in model.servers.items() if servers}
    have = {r.backend.key for r in model.routes if r.servers_key in served}
    lost = had - have
    if is_mass_loss(len(lost), len(had), floor=FLOOR):
        return f"{len(lost)} of {len(had)} backends would lose all their servers at once"
    return ""


def without_removals(now: Layout, model: Model) -> Model:
    """``model`` plus everything that it would remove.

    That is routes, the servers of backends that would have none left, and the certificates of names.
    """
    new = {map_entry(route) for route in model.routes}
    old = [route for route in layout.routes_of(now) if map_entry(route) not in new]
    servers = {
        key: tuple(s.server for s in p.slots if s.server)
        for p in now.pools
        if p.backend and not model.servers.get(key := servers_key(p.backend, p.options))
    }
    names: dict[str, tuple[str, ...]] = {}
    options, clients = dict(model.tls.options), dict(model.tls.clients)
    excluded = {key: set(others) for key, others in model.tls.excluded.items()}
    for line in now.lines:
        gone = [name for name in line.ids if name not in model.tls.names]
        names |= {name: (*names.get(name, ()), line.content) for name in gone}
        options |= dict.fromkeys(gone, line.options)
        for name in line.ids if line.excluded else ():
            excluded.setdefault((line.content, name), set()).update(line.excluded_ids)
        clients |= {name: now.maps[NAMES_MAP][name] for name in gone if name in now.maps[NAMES_MAP]}
    authorities = {name: content for name, content in now.authorities.items() if name not in model.tls.authorities}
    tls = replace(
        model.tls,
        names={**names, **model.tls.names},
        options=options,
        clients=clients,
        authorities={**authorities, **model.tls.authorities},
        sites=model.tls.sites.union(now.maps["secured"]),
        certified=model.tls.certified
        | {site for site, mark in now.maps["secured"].items() if mark == CERTIFIED and site not in model.tls.sites},
        redirects={site: int(code) for site, code in now.maps["to-https"].items()} | dict(model.tls.redirects),
        default=model.tls.default or now.default,
        https_ports={
            **{site: int(port.removeprefix(":")) for site, port in now.maps["https-ports"].items()},
            **model.tls.https_ports,
        },
        excluded={key: tuple(sorted(others)) for key, others in excluded.items()},
    )
    unused = tuple(listener for listener in now.listeners if listener.own and listener not in model.listeners)
    return replace(
        model,
        tls=tls,
        secured=model.secured | now.secured,
        listeners=(*model.listeners, *unused) if model.listeners else now.listeners,
        routes=(*model.routes, *old),
        servers={**model.servers, **servers},
        loaded={**now.loaded, **model.loaded},
        ports={**now.ports, **model.ports},
    )
