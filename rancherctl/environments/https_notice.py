"""The warning of a plan after which load balancers redirect plain requests to HTTPS, where none did before. Pure.

Release 0.1 ignored the TLS entries of Ingresses; from layout 2 on, `ingress.tls.redirect` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rancherctl.environments.layout import Stamp
from rancherctl.environments.model import Environment
from rancherctl.text import and_more, plural

FIRST_LAYOUT: Final = 2
SHOWN: Final = 20


def redirects_begin(stored: Environment, stamp: Stamp, wanted: Environment) -> bool:
    """Whether ``wanted`` redirects, while the last apply (``stored`` with its ``stamp``) did not."""
    before = stamp.layout >= FIRST_LAYOUT and stored.ingress.tls_redirect == "auto"
    return wanted.ingress.tls_redirect == "auto" and not before


def notice(keys: Sequence[str]) -> str:
    """The warning about the Ingresses ``keys``."""
    return (
        f"after this apply, HTTP requests to {plural(len(keys), 'ingress', 'ingresses')} with tls are redirected to "
        f"HTTPS once the certificates are valid: {and_more(keys, shown=SHOWN)}; "
        "to prevent it, set spec.ingress.tls.redirect to off in the environment file"
    )
