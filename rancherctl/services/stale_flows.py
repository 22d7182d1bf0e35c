"""UDP flows from before an address was served: the kernel translates a flow when it begins, or never.

A client that sends all the time keeps its flow alive and would wait for good. kube-proxy forgets such flows when
endpoints change, and not when a status does.
"""

from __future__ import annotations

from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport


def forget(transport: Transport, address: str, port: int) -> None:
    """Let the kernel forget flows to this UDP port of ``address`` that nothing translates; their next packet is new.

    It succeeds if there are no flows, and on a host without the program: its clients wait until they are silent.
    """
    flows = ("-p", "udp", "--orig-dst", address, "--orig-port-dst", str(port), "--reply-src", address)
    transport.run(command("conntrack", "-D", *flows, timeout=5.0), check=False)
