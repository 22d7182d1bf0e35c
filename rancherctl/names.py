"""Names that Kubernetes and DNS allow: labels, domain names, label keys and values. Pure.

Sources: RFC 1123, Kubernetes API conventions.
"""

from __future__ import annotations

import re
from typing import Final

MAX_NAME: Final = 253
"""Characters of a DNS name without its final dot."""
DNS_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
"""Pattern of an RFC 1123 label in lower case."""

_LABEL = re.compile(DNS_LABEL)
_NAME = re.compile(rf"{DNS_LABEL}(?:\.{DNS_LABEL})*")
_LABEL_KEY = re.compile(
    r"(?:(?P<prefix>[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def is_dns_label(text: str) -> bool:
    """Whether ``text`` is one DNS label in lower case (Kubernetes: name of a namespace or Service)."""
    return _LABEL.fullmatch(text) is not None


def is_dns_name(text: str) -> bool:
    """Whether ``text`` is a DNS name in lower case without a final dot."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Whether ``text`` may be the key of a Kubernetes label: ``[DNS name/]name``."""
    found = _LABEL_KEY.fullmatch(text)
    return found is not None and (found["prefix"] is None or is_dns_name(found["prefix"]))


def is_label_value(text: str) -> bool:
    """Whether ``text`` may be the value of a Kubernetes label; the empty text may."""
    return _LABEL_VALUE.fullmatch(text) is not None
