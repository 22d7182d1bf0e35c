"""A federation's Hub that tests run without its process: with an election that it has won."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from rancherctl.errors import RancherctlError
from rancherctl.federation.hub import SPEC, Hub
from rancherctl.federation.hub_options import HubOptions
from rancherctl.federation.model import FederationSettings
from rancherctl.kube.cache import Cache
from rancherctl.kube.rest import RestClient

log = logging.getLogger(__name__)
PAUSE = 0.5
"""Seconds until the Hub is called although nothing has changed."""


def hub_options(wake: threading.Event, leading: Callable[[], bool] = lambda: True, **more: Any) -> HubOptions:
    """``wake`` is set when there is something to do; ``more`` are other fields of HubOptions."""
    return HubOptions(
        leading=leading,
        gate=lambda: None,
        wake=wake.set,
        clock=time.monotonic,
        now=lambda: "2026-11-29T00:00:00Z",
        **more,
    )


class HubProcess:
    """The Hub as rancherctl-federation runs it: called at each change and in between, and again after a failure.

    ``options`` are those of ``hub_options``; ``wake`` asks for a call.
    """

    def __init__(self, api: RestClient, settings: Callable[[str], FederationSettings], **options: Any) -> None:
        self.wake, self._ended = threading.Event(), threading.Event()
        self.hub = Hub(api, settings, hub_options(self.wake, **options))
        self.cache = Cache(api, SPEC.tables, lambda _: self.wake.set())
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self.cache.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.wake.set()
        self._thread.join(60)
        self.hub.stop()
        self.cache.stop()

    def _run(self) -> None:
        while not self._ended.is_set():
            self.wake.clear()
            try:
                self.hub.reconcile(self.cache.snapshot())
            except RancherctlError:
                log.exception("tried again, as by the process")
            self.wake.wait(PAUSE)
