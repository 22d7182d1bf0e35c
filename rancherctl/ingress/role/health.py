"""Check and repair the running HAProxy, and know the error to report if that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rancherctl.ingress.haproxy import plan, process
from rancherctl.ingress.haproxy.checker import ConfigRefusedError
from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.runtime import HaproxyError
from rancherctl.ingress.role.state import StateStore

CHECK_SECONDS: Final = 5.0
log = logging.getLogger(__name__)


class HaproxyHealth:
    """Whether HAProxy has the stored layout (``confirmed``), and why this host cannot serve (``error``).

    ``refused``: why HAProxy rejects this release's configuration text while it still runs with that of another release.
    """

    def __init__(self, driver: Driver, store: StateStore, clock: Callable[[], float]) -> None:
        self._driver, self._store, self._clock = driver, store, clock
        self.confirmed = False
        self.error = ""
        self.refused = ""
        self.pid, self.version, self.dropped_logs = 0, "", 0
        self.finishing = 0
        """Earlier workers that finish their connections."""
        self._checked_at = float("-inf")
        self._frozen_reported = False
        self._broken = False

    def begin(self) -> None:
        """Start a reconcile. Raises HaproxyError if HAProxy still rejects its configuration.

        Tests that only after a failed reconcile: if no Ingress is placed here, nothing else shows that one could be.
        """
        self.error = ""
        if self._broken:
            self._driver.checker.check(self._layout())

    def check(self) -> bool:
        """Repair changed files, a restarted process, and foreign changes. Raises HaproxyError.

        False means that HAProxy is frozen. Its repair may take half a minute, so the error is reported first, and the
        next call repairs it.
        """
        if self._store.current is None or (self.confirmed and self._clock() - self._checked_at < CHECK_SECONDS):
            return True
        layout = self._store.current.layout
        if self._newly_frozen(layout):
            return False
        self._store.save_kept()
        if differing := self._store.save(self._store.current):
            log.warning("rewrote files with unexpected content: %s", ", ".join(differing))
        try:
            differences: tuple[str, ...] = self._driver.differences(layout)
        except HaproxyError as error:
            if self._newly_frozen(layout):  # it still answered the first question
                return False
            differences, layout = (str(error),), self._with_free_ports(layout)
        if differences:
            log.warning("reloading HAProxy, its state differs: %s", "; ".join(differences))
            self._load("drift", layout)
        elif self.pid and self._driver.program.replaced(self.pid):
            log.info("reloading HAProxy: its program was replaced, for example by an upgrade of the package")
            self._load("another program", layout)
        elif layout.text != self._driver.text and not self.refused:
            log.info("reloading HAProxy: its configuration was written by another release")
            self._replace_text(layout)
        else:
            self.settle()
        return True

    def _replace_text(self, layout: Layout) -> None:
        """Load this release's text. If HAProxy rejects it, what runs still follows changes that need no reload."""
        try:
            self._load("another release", layout)
        except ConfigRefusedError as error:
            log.warning("%s", error)
            self.refused = str(error)
            self.settle()

    def _newly_frozen(self, layout: Layout) -> bool:
        """Whether HAProxy is frozen and that was not reported yet; makes it the ``error`` to report."""
        if self._frozen_reported or not (why := self._driver.frozen(layout)):
            return False
        self._frozen_reported, self.confirmed, self.error = True, False, why
        return True

    def _with_free_ports(self, layout: Layout) -> Layout:
        """``layout`` without listeners whose port another program took while HAProxy was down.

        HAProxy could not start with them. If no port is free, HAProxy itself may have them open, so all are kept.
        """
        free = tuple(x for x in layout.listeners if not self._driver.listener_error(x))
        return replace(layout, listeners=free) if free else layout

    def look_again(self) -> None:
        """Check at the next reconcile if another process runs: it may have started before its files were saved."""
        try:
            same = self._driver.info().pid == self.pid
        except HaproxyError:
            same = False
        if not same:
            self._checked_at = float("-inf")

    def reload(self, reason: str) -> None:
        """Start a new HAProxy process with the stored layout, and check that it has it. Raises HaproxyError."""
        self._load(reason, self._layout())

    def _load(self, reason: str, layout: Layout) -> None:
        self._store.save_layout(self._driver.apply(plan.Reload(reason, layout)))
        self.refused = ""
        self.settle()

    def settle(self) -> None:
        """Note that HAProxy has just been seen to have the stored layout, and which process it is."""
        if self._store.current is not None:  # a restart of the unit empties the folder of sockets
            self._driver.use(self._store.current.layout.generation)
            if self._store.current.layout.text == self._driver.text:
                self._driver.certificates.remove_former()
        info = self._driver.info()
        self.pid, self.version, self.dropped_logs = info.pid, info.version, info.dropped_logs
        self.finishing = process.finishing(info.pid)
        self._checked_at, self.confirmed, self._frozen_reported = self._clock(), True, False

    def fail(self, why: str) -> None:
        """After a failure, find out whether HAProxy still serves its last layout."""
        layout = self._layout()
        try:
            self.confirmed = self._store.current is not None and not self._driver.differences(layout)
        except HaproxyError as silent:
            # HAProxy does not run. The reason may be that another program has its port.
            taken = next((e for listener in layout.listeners if (e := self._driver.listener_error(listener))), "")
            self.confirmed, self.error = False, taken or str(silent)
        else:
            if not (self.confirmed and layout.listeners):
                self.error = why  # this host serves nothing, so its Ingresses must move to other hosts
        self._broken = bool(self.error)

    def succeed(self) -> None:
        """Note that a reconcile ended without a failure."""
        self._broken = False

    def _layout(self) -> Layout:
        return self._store.current.layout if self._store.current else Layout()
