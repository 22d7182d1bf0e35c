"""The files with upstreams and stub domains that the server includes, and reloading the server when they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rancherctl.dns import named_conf
from rancherctl.dns.daemon import Daemon
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.store import Store


class Forwarding:
    """Applies the upstreams and servers of stub domains that are in use; ``use`` is called in every round."""

    def __init__(self, config: DnsHostConfig, store: Store, daemon: Daemon) -> None:
        self._config, self._store, self._daemon = config, store, daemon
        # An earlier process may have ended after it wrote a file and before it reloaded the server.
        self._read = False

    def use(
        self, upstreams: Sequence[str] | None, stubs: Mapping[str, Sequence[str]] | None, stale: str = "off"
    ) -> None:
        """Write the servers, and reload the server if they changed; the next call retries a failure.

        None: not known yet, what an earlier process wrote is kept. ``stale``: named_conf.stale_after. Raises the errors
        of store and hosts.
        """
        files = {}
        if upstreams is not None:
            files[self._config.forwarders_file] = named_conf.forwarders(upstreams, stale)
        if stubs is not None and (stubs or Path(self._config.stubs_file).exists()):
            files[self._config.stubs_file] = named_conf.stub_zones(stubs)
        for path, text in files.items():
            if self._store.replace(path, text):
                self._read = False
        if files and not self._read:
            self._daemon.reload()
            self._read = True
