"""The upstreams in the server's hands: the file it includes, and its word that it has read it."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.dns import named_conf
from rancherctl.dns.daemon import Daemon
from rancherctl.dns.store import Store


class Forwarding:
    """``use`` is called in every round with the upstreams of that moment."""

    def __init__(self, path: str, store: Store, daemon: Daemon) -> None:
        self._path, self._store, self._daemon = path, store, daemon
        # An earlier process may have ended between the file and the server's reading it.
        self._read = False

    def use(self, upstreams: Sequence[str]) -> None:
        """Write them, best first, and have them read; nothing while they are what was read. Errors: store's, hosts' (then tried again)."""
        if self._store.replace(self._path, named_conf.forwarders(upstreams)):
            self._read = False
        if not self._read:
            self._daemon.reload()
            self._read = True
