"""Test which listeners of a host can be opened.

One whose port another program uses is left out, the others serve.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from rancherctl.ingress.haproxy import listeners
from rancherctl.ingress.model import Listener, Model


class PortCheck:
    """Tests listeners and keeps the results. ``error`` says why a listener cannot be opened ("" = it can)."""

    def __init__(self, error: Callable[[Listener], str]) -> None:
        self._error = error
        self._errors: dict[Listener, str] = {}

    def free(self, model: Model, own: Collection[Listener]) -> Model:
        """``model`` without the listeners whose port is taken; an empty model if none is left.

        Ports of ``own`` listeners may be open in HAProxy itself, so they are not tested. Taken ports are tested again
        every time.
        """
        opened = {(x.family, x.port) for x in own}
        every = (*model.listeners, *(x for x, error in self._errors.items() if error))
        tested = {x for x in every if (x.family, x.port) not in opened}
        known = dict.fromkeys((*model.listeners, *tested))
        self._errors = {x: self._error(x) if x in tested else "" for x in known}
        free = tuple(x for x in model.listeners if not self._errors[x])
        return listeners.reachable(replace(model, listeners=free)) if free or not model.listeners else Model()

    def by_port(self) -> dict[str, str]:
        """Port → why one of its listeners cannot be opened ("" = all can), for a host's report."""
        out: dict[str, str] = {}
        for listener, error in sorted(self._errors.items(), key=lambda found: (found[0].port, found[0].family)):
            port = str(listener.port)
            out[port] = out.get(port) or error
        return out

    def summary(self) -> str:
        """All errors in one line."""
        return ", ".join(error for error in self.by_port().values() if error)
