"""Jump hosts of an address: the list of a ProxyJump value. Pure."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.errors import UsageError
from rancherctl.hosts.model import SshAddress
from rancherctl.net import parse_port, split_host_port

JUMP_LIMIT = 5


def jumps(text: str, address: SshAddress) -> tuple[SshAddress, ...]:
    """The hosts of a ProxyJump value, in the order of the path.

    Each has the identity, the configuration file, the known_hosts file and the ssh client of the address.
    """
    out = []
    for word in text.split(","):
        user, _, place = word.strip().removeprefix("ssh://").rpartition("@")
        host, port_text = split_host_port(place)
        port = parse_port(port_text) if port_text else 0
        if port is None:
            raise UsageError(f"{address.host}: {word.strip()!r} is not a valid jump host", hint="write user@host:port")
        out.append(replace(address, host=host, user=user, port=port, jump=""))
    if len(out) > JUMP_LIMIT:
        raise UsageError(f"{address.host}: more than {JUMP_LIMIT} jump hosts")
    return tuple(out)
