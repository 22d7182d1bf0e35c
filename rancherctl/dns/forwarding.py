"""The forwarders file that the server includes, and reloading the server when it changes."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.dns import named_conf
from rancherctl.dns.daemon import Daemon
from rancherctl.dns.store import Store


class Forwarding:
    """Applies the current list of upstreams; ``use`` is called in every round."""

    def __init__(self, path: str, store: Store, daemon: Daemon) -> None:
        self._path, self._store, self._daemon = path, store, daemon
        # An earlier process may have ended after it wrote the file and before it reloaded the server.
        self._read = False

    def use(self, upstreams: Sequence[str]) -> None:
        """Write the upstreams, best first, and reload the server if they changed; the next call retries a failure.

        Raises the errors of store and hosts.
        """
        if self._store.replace(self._path, named_conf.forwarders(upstreams)):
            self._read = False
        if not self._read:
            self._daemon.reload()
            self._read = True
