"""Hold back a sudden loss until it has lasted: one list that suddenly lacks many things may come from an API that lost its data. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LOSS_SHARE: Final = 0.3
"""Share of the hosts, backends or names that may vanish at once without a second opinion."""


def is_mass_loss(lost: int, existing: int, *, floor: int) -> bool:
    """Whether losing ``lost`` of ``existing`` things at once needs a second opinion: more than ``floor`` and more than LOSS_SHARE."""
    return lost > floor and lost > LOSS_SHARE * existing


@dataclass(slots=True)
class Hold:
    """Holds a suspicious loss back for ``seconds``; a loss that is still seen after that time is believed.

    The caller's monotonic clock comes in as ``now``. A loss that ends in between forgets its start.
    """

    seconds: float
    since: float | None = field(default=None, init=False)

    def active(self, suspicious: bool, now: float) -> bool:
        """Whether to hold back now. ``suspicious`` says whether the loss is seen at this moment."""
        if not suspicious:
            self.since = None
            return False
        if self.since is None:
            self.since = now
        return now - self.since < self.seconds

    def remaining(self, now: float) -> float | None:
        """Seconds until the loss is believed; None if nothing is held back."""
        return None if self.since is None else max(0.0, self.since + self.seconds - now)
