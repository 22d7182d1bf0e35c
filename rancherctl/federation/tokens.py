"""Tokens of a federation in a member: whose they are, how long they live, and how they are requested. Pure.

The federation keeps a token of the ServiceAccount ``renewer``, which may only request tokens: of ``controller``, for at
most an hour, which stay in memory, and of itself, for 30 days. All are bound to the Secret ``session`` of the member:
deleting it there ends all access at once.
"""

from __future__ import annotations

import json
from typing import Final

from rancherctl import bound_tokens
from rancherctl.contract import FEDERATION_NAMESPACE_PREFIX

CONTROLLER: Final = "controller"
RENEWER: Final = "renewer"
SESSION: Final = "session"
WORK_SECONDS: Final = 3600
RENEWER_SECONDS: Final = 30 * 24 * 3600
TOKEN_KEY: Final = "token"  # noqa: S105 - the name of a key
"""Key of the renewer's token in a member's Secret in the federation; the other is SESSION_UID_KEY."""
SESSION_UID_KEY: Final = "session-uid"


def member_namespace(federation: str) -> str:
    """The namespace in a member that has the accounts of a federation."""
    return f"{FEDERATION_NAMESPACE_PREFIX}{federation}"


def request(federation: str, account: str, seconds: int, session_uid: str) -> tuple[str, bytes]:
    """URL path and body of a POST that creates a token of ``account``, bound to the session."""
    path, body = bound_tokens.request(member_namespace(federation), account, seconds, SESSION, session_uid)
    return path, json.dumps(body).encode()
