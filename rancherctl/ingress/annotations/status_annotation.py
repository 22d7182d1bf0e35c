"""The annotation in which the controller says how an Ingress is served. Pure.

JSON with the keys reason, message, wanted, published and hash; users and other releases read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from rancherctl.contract import STATUS_ANNOTATION

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
"""Made once: json.dumps would make an encoder for each of thousands of statuses."""


def encode_status(reason: str, message: str, *, wanted: int, published: int, content: str) -> str:
    """The annotation's text: ASCII, without spaces between elements."""
    value = {"reason": reason, "message": message, "wanted": wanted, "published": published, "hash": content}
    return _encode(value)


def read_status(annotations: Mapping[str, str]) -> dict[str, object]:
    """The strings and numbers in the status annotation; {} if it is missing or invalid."""
    return decode_status(annotations.get(STATUS_ANNOTATION, ""))


def decode_status(text: str) -> dict[str, object]:
    """The strings and numbers in the annotation's text; {} if it is empty or invalid.

    The leader writes an invalid one again. Any user who may edit the Ingress may write anything
    here: deeply nested JSON must not end the translation of other Ingresses.
    """
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in data.items() if not isinstance(value, (list, dict))}
