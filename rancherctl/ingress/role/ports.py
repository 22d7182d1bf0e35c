"""Test which listeners of a host can be opened.

One whose port another program uses is left out, the others serve.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from rancherctl.ingress.haproxy import listeners
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.model import Listener, Model
from rancherctl.ingress.options import DEFAULT_PORTS
from rancherctl.placement.model import ObjectProblem


class PortCheck:
    """Tests listeners and keeps the results. ``error`` says why a listener cannot be opened ("" = it can).

    Ingresses do not get ``reserved`` ports even while they are free: ssh could not start again.
    """

    def __init__(self, error: Callable[[Listener], str], reserved: Collection[int] = ()) -> None:
        self._error, self._reserved = error, reserved
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
        self._errors = {x: self._why(x, tested) for x in known}
        free = tuple(x for x in model.listeners if not self._errors[x])
        return listeners.reachable(replace(model, listeners=free)) if free or not model.listeners else Model()

    def _why(self, listener: Listener, tested: Collection[Listener]) -> str:
        if listener.own and listener.port in self._reserved:
            return f"port {listener.port}: reserved in this environment"
        return self._error(listener) if listener in tested else ""

    def by_port(self) -> dict[str, str]:
        """Port → why one of its listeners cannot be opened ("" = all can), for a host's report."""
        out: dict[str, str] = {}
        for listener, error in sorted(self._errors.items(), key=lambda found: (found[0].port, found[0].family)):
            port = str(listener.port)
            out[port] = out.get(port) or error
        return out

    def summary(self) -> str:
        """All errors about the host's usual ports in one line. Those of Ingresses concern these only."""
        own = {str(x.port) for x in self._errors if x.own}
        return ", ".join(error for port, error in self.by_port().items() if error and port not in own)

    def problems(self, needed: Mapping[str, Iterable[int]], host: str) -> dict[str, tuple[ObjectProblem, ...]]:
        """Problems by Ingress key; ``needed`` are ports of Ingresses that do not have the usual ones."""
        errors = self.by_port()
        found = {key: [errors[str(port)] for port in ports if errors.get(str(port))] for key, ports in needed.items()}
        return {
            key: tuple(ObjectProblem("PortInUse", f"{text} on {host}") for text in texts)
            for key, texts in found.items()
            if texts
        }


def confirmed(layout: Layout, wanted: Iterable[Listener]) -> Mapping[str, str]:
    """The content hashes of Ingresses whose listeners are all open, of those that are ``wanted``.

    While one is missing, their address must lead clients to other hosts.
    """
    opened = listeners.open_ports(layout.listeners, wanted)
    if not layout.ports and opened.issuperset(DEFAULT_PORTS.needed(tls=True)):
        return layout.loaded
    return {
        key: content
        for key, content in layout.loaded.items()
        if opened.issuperset(layout.ports.get(key) or DEFAULT_PORTS.needed(tls=key in layout.secured))
    }
