"""One thing made once for many threads, and made again when it has gone bad."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from rancherctl.errors import RancherctlError

T = TypeVar("T")


class Shared(Generic[T]):
    """``get`` gives what ``make`` made as long as it is ``good``. One thread makes, the others wait; when that try fails, those who
    waited get its error, instead of each waiting for a failure of its own. ``waiting`` is how many do."""

    def __init__(self, make: Callable[[], T], good: Callable[[T], bool]) -> None:
        self._make = make
        self._good = good
        self._changed = threading.Condition()
        self._making = False
        self._value: T | None = None
        self._failure: RancherctlError | None = None
        self.waiting = 0

    def get(self) -> T:
        """The thing; whatever ``make`` raises."""
        with self._changed:
            waited = self._making
            self._wait()
            if self._value is not None and self._good(self._value):
                return self._value
            if waited and self._failure is not None:
                raise self._failure
            self._making = True
            self._value = self._failure = None
        made: T | None = None
        failure: RancherctlError | None = None
        try:
            made = self._make()
        except RancherctlError as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._making = False
                self._value, self._failure = made, failure
                self._changed.notify_all()
        return made

    def peek(self) -> T | None:
        """What is there now, good or bad; waits for a try that is under way."""
        with self._changed:
            self._wait()
            return self._value

    def _wait(self) -> None:
        self.waiting += 1
        self._changed.wait_for(lambda: not self._making)
        self.waiting -= 1
