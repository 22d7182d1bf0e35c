"""Public names: the ladder of a federated Service, own host names, and names of markers. Pure.

The ladder, most specific first (``svc.<zone>.<region>`` is a rung only where both are known):

1. ``<service>.<namespace>.<federation>.svc.<zone>.<region>.<suffix>.``
2. ``<service>.<namespace>.<federation>.svc.<region>.<suffix>.``
3. ``<service>.<namespace>.<federation>.svc.<suffix>.``

Names are absolute, in lower case, with the final dot. The suffix is the federation's DNS zone.
"""

from __future__ import annotations

from typing import Final

from rancherctl.names import MAX_NAME, is_dns_name
from rancherctl.text import quoted

MARKER_LABEL: Final = "_rancherctl"
MAX_PUBLISHED: Final = MAX_NAME - len(MARKER_LABEL) - 1
"""Characters of a public name without its final dot: its marker is one label longer."""
_SVC: Final = "svc"


def rung_suffix(federation: str, suffix: str, region: str | None = None, zone: str | None = None) -> str:
    """What the names of all Services have in common on a rung, with the leading dot.

    The last rung has neither region nor zone; a zone needs its region.
    """
    place = "".join(f".{label}" for label in (zone, region) if label)
    return f".{federation}.{_SVC}{place}.{suffix}."


def public_name(service: str, namespace: str, rung: str) -> str:
    """The name of a Service on the rung with this suffix."""
    return f"{service}.{namespace}{rung}"


def length_problem(name: str) -> str:
    """Why an absolute name is too long to be published; "" if it is not."""
    length = len(name) - 1
    return f"{name} has {length} characters, at most {MAX_PUBLISHED} can be published" if length > MAX_PUBLISHED else ""


def own_hostname(text: str, federation: str, suffix: str) -> tuple[str, str]:
    """An own host name as an absolute name, and the problem if it cannot be published (the name is "" then)."""
    name = text.strip().lower().removesuffix(".")
    if not is_dns_name(name):
        return "", f"{quoted(text.strip(), 80)} is not a valid DNS name"
    if name != suffix and not name.endswith(f".{suffix}"):
        return "", f"{quoted(name, 80)} is outside the federation's zone {suffix}"
    if len(name) > MAX_PUBLISHED:
        return "", f"{quoted(name, 80)} has {len(name)} characters, at most {MAX_PUBLISHED} can be published"
    labels = name.removesuffix(suffix).removesuffix(".").split(".")
    if 4 <= len(labels) <= 6 and labels[2:4] == [federation, _SVC]:
        return "", f"{quoted(name, 80)} is a name that the federation gives to Services itself"
    return f"{name}.", ""


def marker_name(name: str) -> str:
    """The owner of the TXT record that says whose the records of ``name`` are (a TXT beside a CNAME is illegal)."""
    return f"{MARKER_LABEL}.{name}"


def marked_name(marker: str) -> str:
    """The name that a marker is about; "" if ``marker`` is not the name of a marker."""
    label, _, name = marker.partition(".")
    return name if label == MARKER_LABEL else ""


def fence_name(federation: str, suffix: str) -> str:
    """The owner of the federation's zone marker, which carries the epoch.

    It names the federation: two federations may share a zone, and ``_rancherctl.<suffix>`` is the marker of an own
    host name that is the zone's own name.
    """
    return f"{MARKER_LABEL}-{federation}.{suffix}."
