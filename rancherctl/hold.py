"""Hold: do not believe a sudden loss until it has lasted. Pure.

A list that suddenly lacks many things may come from an API that lost its data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LOSS_SHARE: Final = 0.3
"""Share of the hosts, backends or names that may vanish at once without a second opinion."""


def is_mass_loss(lost: int, existing: int, *, floor: int) -> bool:
    """Whether losing ``lost`` of ``existing`` things at once needs a second opinion.

    It does if it is more than ``floor`` things and more than LOSS_SHARE of them.
    """
    return lost > floor and lost > LOSS_SHARE * existing


@dataclass(slots=True)
class Hold:
    """Hold back a suspicious loss for ``seconds``; a loss that is still seen after that time is believed.

    ``now`` is the caller's monotonic clock in seconds. A loss that ends is forgotten: the next one is held in full.
    """

    seconds: float
    since: float | None = field(default=None, init=False)

    def active(self, suspicious: bool, now: float) -> bool:
        """Whether to hold the loss back now. ``suspicious``: whether the loss is seen at this moment."""
        if not suspicious:
            self.since = None
            return False
        if self.since is None:
            self.since = now
        return now - self.since < self.seconds

    def restart(self) -> None:
        """Forget the loss seen so far: the measure begins again, for example after an election."""
        self.since = None

    def remaining(self, now: float) -> float | None:
        """Seconds until the loss is believed; None if no loss is seen."""
        return None if self.since is None else max(0.0, self.since + self.seconds - now)
