"""The agent's state file, for a start without the API.

It says what HAProxy has been given, and which Ingresses this host serves. Later releases read it too:
tests/data/ingress has recorded files of earlier releases.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rancherctl.ingress.haproxy import files
from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.runtime import HaproxyError
from rancherctl.ingress.model import Family

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """HAProxy's layout, and the Ingresses that this host serves on purpose.

    ``epoch`` and ``sequence`` are those of the roster in use; ``address`` is the host's published address. ``secrets``:
    TLS secret → content of its last usable certificate.
    """

    layout: Layout
    serving: tuple[str, ...] = ()
    epoch: int = 0
    sequence: int = 0
    address: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """JSON after a line with its SHA-256."""
        data = {
            "layout": self.layout.to_json(),
            "serving": list(self.serving),
            "epoch": self.epoch,
            "sequence": self.sequence,
            "address": self.address,
            "secrets": dict(sorted(self.secrets.items())),
        }
        body = json.dumps(data, separators=(",", ":")).encode()
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @staticmethod
    def decode(data: bytes, families: Sequence[Family]) -> State:
        """Parse the output of ``encode``; ``families`` are the host's address families.

        Raises ValueError, KeyError or TypeError if it is damaged.
        """
        checksum, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            raise ValueError("its checksum does not match")
        value: Any = json.loads(body)
        layout = Layout.from_json(value["layout"], families)
        return State(
            layout,
            tuple(value["serving"]),
            int(value["epoch"]),
            int(value["sequence"]),
            str(value["address"]),
            {str(k): str(v) for k, v in value.get("secrets", {}).items()},
        )


class StateStore:
    """Keeps state.json and HAProxy's files equal to what is served.

    ``current`` is None until a state is known. ``unsaved``: since when (the caller's clock, in seconds) the disk has an
    earlier one, None if it has this one.

    If the disk is full, the host still serves, and changes still reach the running HAProxy; ``error`` reports it
    until the files are written.
    """

    def __init__(self, driver: Driver) -> None:
        self.path = Path(driver.paths.state)
        self.error = ""
        self.unsaved: float | None = None
        self._layout_saved, self._collected = True, False
        self._driver = driver
        self._written: tuple[State, files.Identity | None] | None = None
        self.current = self._load()

    def _load(self) -> State | None:
        try:
            return State.decode(self.path.read_bytes(), self._driver.paths.families)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%s); it is written again as soon as the API answers", self.path, error)
            return None

    def keep(self, state: State, now: float, *, same_layout: bool = False) -> None:
        """Make ``state`` the current one, to be saved later. With ``same_layout`` HAProxy's files need no change."""
        self.current = state
        self._layout_saved = self._layout_saved and same_layout
        known = self._written is not None and state == self._written[0]
        if self.unsaved is None and not (known and self._layout_saved and self._collected and not self.error):
            self.unsaved = now

    def save_kept(self) -> None:
        """Save the current state if the disk has an earlier one, and remove the files that it does not need."""
        if self.current is None or self.unsaved is None:
            return
        self.save(self.current, same_layout=self._layout_saved)
        if not self.error:  # otherwise the files on disk may still name them
            layout = self.current.layout
            self._driver.certificates.collect({*layout.contents, *self.current.secrets.values()})
            self._driver.authorities.collect(layout.authorities)
            self._collected = True

    def save(self, state: State, *, same_layout: bool = False) -> list[str]:
        """Make ``state`` the current one and write all files; returns the HAProxy files that differed.

        With ``same_layout`` HAProxy's files are skipped, because they hold this layout already.
        """
        self.current = state
        self.unsaved, self._layout_saved = None, True
        differing: list[str] = []
        try:
            if self.error or not same_layout:
                differing = self._driver.save(state.layout)
            if (state, files.identity(self.path)) != self._written:
                files.write(self.path, state.encode(), mode=0o600)
                self._written = state, files.identity(self.path)
        except HaproxyError as failure:
            differing, error = [], str(failure)
        except OSError as failure:
            differing, error = [], f"cannot write {self.path}: {failure}; free disk space, traffic is still served"
        else:
            error = ""
        if error and error != self.error:
            log.warning("%s", error)
        self.error = error
        return differing

    def save_layout(self, layout: Layout) -> list[str]:
        """``save`` with another layout and everything else unchanged."""
        assert self.current is not None
        return self.save(replace(self.current, layout=layout))
