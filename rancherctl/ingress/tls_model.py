"""How one host's load balancer answers over TLS, as frozen values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.ingress.options import TlsOptions

Exclusions = Mapping[tuple[str, str], tuple[str, ...]]
"""(content, wildcard) → sorted names that the wildcard's certificate is not for; wildcard and names as in TlsModel."""
NO_EXCLUSIONS: Exclusions = {}


@dataclass(frozen=True, slots=True)
class TlsModel:
    """How one host's HAProxy answers over TLS.

    ``names``: SNI name → contents of its certificates (translate.pem.KeyPair), one for each kind of key. ``options``
    are those of names that have others than the defaults. ``clients``: names → what a handshake for them proves about
    the client (translate/clients.py); ``authorities``: file → content of the authorities for it. ``sites`` are
    the host patterns that are answered over TLS. ``certified`` are those of them that have valid certificates of their
    own. ``redirects``: host pattern whose plain requests are redirected to HTTPS → status. ``default`` is the content
    for clients whose name is in no certificate here; "" refuses them.

    On an HTTPS port other than the default one, names and sites have it after a colon. ``https_ports``: site whose
    plain requests are redirected → that port, if it is not the default one. ``excluded``: see translate/wildcards.py.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, TlsOptions] = field(default_factory=dict)
    sites: frozenset[str] = frozenset()
    certified: frozenset[str] = frozenset()
    redirects: Mapping[str, int] = field(default_factory=dict)
    default: str = ""
    https_ports: Mapping[str, int] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)
    excluded: Exclusions = field(default_factory=dict)


NO_TLS = TlsModel()
