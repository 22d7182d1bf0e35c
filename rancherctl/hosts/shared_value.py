"""One value created once for many threads, and created again when it has become unusable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from rancherctl.errors import RancherctlError

T = TypeVar("T")


class SharedValue(Generic[T]):
    """``get`` returns what ``create`` made as long as ``usable`` accepts it.

    One thread creates the value while the others wait; if that fails, the waiting threads get its error instead of
    failing one after the other. ``waiting`` is their number.
    """

    def __init__(self, create: Callable[[], T], usable: Callable[[T], bool]) -> None:
        self._create = create
        self._usable = usable
        self._changed = threading.Condition()
        self._creating = False
        self._value: T | None = None
        self._failure: RancherctlError | None = None
        self.waiting = 0

    def get(self) -> T:
        """The value; raises what ``create`` raises."""
        with self._changed:
            waited = self._creating
            self._wait()
            if self._value is not None and self._usable(self._value):
                return self._value
            if waited and self._failure is not None:
                raise self._failure
            self._creating = True
            self._value = self._failure = None
        created: T | None = None
        failure: RancherctlError | None = None
        try:
            created = self._create()
        except RancherctlError as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._creating = False
                self._value, self._failure = created, failure
                self._changed.notify_all()
        return created

    def peek(self) -> T | None:
        """The current value, usable or not; waits for a creation in progress."""
        with self._changed:
            self._wait()
            return self._value

    def _wait(self) -> None:
        self.waiting += 1
        self._changed.wait_for(lambda: not self._creating)
        self.waiting -= 1
