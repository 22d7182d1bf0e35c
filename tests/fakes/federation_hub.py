"""Options of a federation's Hub that tests run without its process: it leads, and wakes the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rancherctl.federation.hub_options import HubOptions


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
