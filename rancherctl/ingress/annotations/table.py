"""The table of all annotations: name, parser, default, and what people read about them. Pure.

``KNOWN`` lists them. Documentation is generated from it, and tests run every row through golden cases, a real HAProxy
and a corpus of injections: see CONTRIBUTING, "Add an annotation of an Ingress".
"""

from __future__ import annotations

from typing import Final

from rancherctl.contract import SCALE_ANNOTATION
from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.clients import CLIENTS
from rancherctl.ingress.annotations.cors import CORS
from rancherctl.ingress.annotations.ports import PORTS
from rancherctl.ingress.annotations.routing import ROUTING
from rancherctl.ingress.annotations.row import Annotation, AnnotationSet
from rancherctl.ingress.annotations.servers import SERVERS
from rancherctl.ingress.annotations.status_annotation import read_status
from rancherctl.ingress.annotations.tls import TLS
from rancherctl.ingress.annotations.traffic import TRAFFIC

SCALE: Final = "scale"
"""The short spelling of SCALE_ANNOTATION."""
AFFINITY: Final = "io.rancher.scheduler.affinity.host_label"
GLOBAL: Final = "io.rancher.scheduler.global"
MAX_SCALE: Final = 10_000


def _last_scale(present: AnnotationSet) -> tuple[int, str]:
    """The last valid scale from the status annotation; if that is missing, the number of addresses."""
    # `kubectl replace` drops annotations that are not in its file.
    wanted = read_status(present.annotations).get("wanted")
    if not (isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= MAX_SCALE):
        wanted = max(1, present.published)
    return wanted, f"still using {wanted}"


PLACEMENT: Final = (
    Annotation(
        "wanted",
        "Scale",
        SCALE_ANNOTATION,
        values.integer(1, MAX_SCALE),
        1,
        _last_scale,
        f"1 to {MAX_SCALE}; default 1",
        "number of load-balancer hosts that serve the Ingress",
        aliases=(SCALE,),
    ),
    Annotation(
        "affinity",
        "Affinity",
        AFFINITY,
        values.labels,
        (),
        # Placing it on any host would show it where it must not be.
        lambda _: (None, "not placed on any host until this is fixed"),
        "KEY=VALUE,...",
        "only hosts whose Nodes have all these labels",
    ),
    Annotation(
        "everywhere",
        "Global",
        GLOBAL,
        values.boolean,
        False,
        lambda _: (False, "using false"),
        "true, false",
        "every load-balancer host, whatever scale says",
    ),
)
KNOWN: Final = (*PLACEMENT, *PORTS, *ROUTING, *CLIENTS, *TRAFFIC, *SERVERS, *CORS, *TLS)
