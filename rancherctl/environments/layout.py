"""The layout number of an environment: how a release knows that a newer one has applied it. Pure.

The number grows when a release stores something on hosts or in the API that older releases would misread or destroy.
The hosts' markers and the record of the last apply carry it with the release that wrote them. An older release must not
change such an environment: it would undo what the newer one replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl import __version__
from rancherctl.errors import RefusedError

LAYOUT: Final = 2
"""The layout that this release writes, and the highest that it can change."""
LAYOUT_KEY: Final = "layout"
RELEASE_KEY: Final = "release"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Layout and release of the last apply. Release 0.1 wrote neither: its layout is 1."""

    layout: int = 1
    release: str = "0.1"


def stamp() -> dict[str, Any]:
    """What this release adds to what it stores."""
    return {LAYOUT_KEY: LAYOUT, RELEASE_KEY: __version__}


def stamp_of(stored: Mapping[str, Any]) -> Stamp:
    """The stamp in a marker or in a record's data. RefusedError if its layout is not a number."""
    if LAYOUT_KEY not in stored:
        return Stamp()
    layout, release = str(stored[LAYOUT_KEY]), str(stored.get(RELEASE_KEY, "unknown"))
    if not (layout.isascii() and layout.isdecimal()):
        raise RefusedError(
            f"the layout of the environment cannot be read: {layout!r}, written by rancherctl {release}",
            why=_known(),
            hint="install the release of rancherctl that applied it last",
        )
    return Stamp(int(layout), release)


def refuse_newer(environment: str, stored: Iterable[Mapping[str, Any]], *, begun: bool = False) -> None:
    """RefusedError if any of these markers or records has a layout that this release does not know.

    It names the release needed. ``begun``: hosts were changed before it was seen.
    """
    newest = max((stamp_of(data) for data in stored), key=lambda stamp: stamp.layout, default=Stamp())
    if newest.layout > LAYOUT:
        raise RefusedError(
            f"environment {environment} was last applied by rancherctl {newest.release} (layout {newest.layout})",
            why=_known(),
            hint=f"install rancherctl {newest.release} or newer{'' if begun else '; nothing was changed'}",
        )


def _known() -> str:
    return f"this is rancherctl {__version__}, which knows layouts up to {LAYOUT}"
