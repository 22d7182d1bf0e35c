"""A helper process for the system's keyring: it can be killed if the keyring hangs (prompt, D-Bus).

``python -m rancherctl.credentials.keyring_helper get|set|delete``: JSON ``{"key", "value"}`` on standard input,
``{"value"}`` or ``{"unusable": why}`` on standard output. The only importer of ``keyring``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

SERVICE = "rancherctl"


def unusable(backend: Any) -> str:
    """Why a backend cannot hold secrets, "" if it can: null, failing and plain-text backends cannot."""
    name = f"{type(backend).__module__}.{type(backend).__name__}"
    if hasattr(backend, "backends"):
        return "" if any(not unusable(b) for b in backend.backends) else "no keyring is installed"
    if (
        name.startswith(("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.file.Plaintext"))
        or backend.priority <= 0
    ):
        return f"{name} does not store secrets securely"
    return ""


def act(operation: str, key: str, value: str) -> dict[str, Any]:
    """Run one operation on the keyring."""
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        if why := unusable(keyring.get_keyring()):
            return {"unusable": why}
        if operation == "set":
            keyring.set_password(SERVICE, key, value)
        elif operation == "get":
            return {"value": keyring.get_password(SERVICE, key)}
        else:
            keyring.delete_password(SERVICE, key)
    except PasswordDeleteError:
        return {"value": None}  # it did not exist
    except KeyringError as e:
        return {"unusable": f"{type(e).__name__}: {e}"}
    return {"value": None}


if __name__ == "__main__":
    request = json.load(sys.stdin)
    json.dump(act(sys.argv[1], request["key"], request.get("value", "")), sys.stdout)
