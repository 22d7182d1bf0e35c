"""Which ports of a host can be listened on: those that something else has are left out, and told until they are free."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from rancherctl.ingress.model import Model


class Ports:
    """``error`` tells why a port cannot be listened on ("" = it can); ``errors``: port → that, for every port that was wanted last."""

    def __init__(self, error: Callable[[int], str]) -> None:
        self._error = error
        self.errors: dict[str, str] = {}

    def free(self, model: Model, ours: Collection[int]) -> Model:
        """Without the ports that something else occupies; with none left, nothing is served. ``ours`` are those that HAProxy itself may hold."""
        probe = {p for p in model.ports if p not in ours} | {
            int(p) for p, error in self.errors.items() if error and int(p) not in ours
        }
        self.errors = {str(p): self._error(p) if p in probe else "" for p in sorted({*model.ports, *probe})}
        free = tuple(p for p in model.ports if not self.errors[str(p)])
        return model if free == model.ports else replace(Model(), ports=free)

    def summary(self) -> str:
        """All errors in one line."""
        return ", ".join(error for error in self.errors.values() if error)
