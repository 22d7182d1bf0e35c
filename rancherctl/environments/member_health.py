"""Whether a control-plane member of a host is healthy: its health URL, requested on the host itself."""

from __future__ import annotations

import json
from typing import Final

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.text import last_line, shorten

SECONDS: Final = 5.0
MAX_WHY: Final = 300
"""Characters of a program's own message that are shown."""
_PROGRAM: Final = """
import json, ssl, sys, urllib.request
url, ca, seconds = json.load(sys.stdin)
handlers = [urllib.request.ProxyHandler({})]
if ca:
    handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
try:
    urllib.request.build_opener(*handlers).open(url, timeout=seconds).read()
except OSError as error:
    sys.exit(str(error))
"""


def problem(transport: Transport, url: str, ca: str = "") -> str:
    """Why ``url`` does not answer with success on the host, "" if it does. ``ca``: path of the CA's file there."""
    asked = command("python3", "-I", "-c", _PROGRAM, stdin=json.dumps([url, ca, SECONDS]), timeout=3 * SECONDS)
    try:
        result = transport.run(asked, check=False)
    except RancherctlError as error:
        return str(error)
    if result.ok:
        return ""
    return shorten(last_line(result.stderr, f"exit status {result.status}"), MAX_WHY)
