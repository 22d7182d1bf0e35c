"""The folder with authorities of clients' certificates on a host: one file for each secret, replaced with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from rancherctl.ingress.haproxy import files
from rancherctl.ingress.haproxy.render import Paths

Text = Callable[[str], str | None]
"""The text of a content; None if it is unknown."""


class AuthorityFiles:
    """Writes and removes the files. ``content_of`` gives the content of a text, ``group`` the group that may read them.

    ``text`` gives the text of a content that has no file yet; the role sets it.
    """

    def __init__(self, paths: Paths, group: Callable[[], int], content_of: Callable[[str], str]) -> None:
        self._paths, self._group, self._content_of = paths, group, content_of
        self.text: Text = lambda _: None

    def read(self, name: str, content: str) -> str | None:
        """The text of a file; None if it is missing or has another content."""
        try:
            text = Path(self._paths.authority(name)).read_text("ascii")
        except (OSError, ValueError):
            return None
        return text if self._content_of(text) == content else None

    def find(self, name: str, content: str) -> str | None:
        """The text of a content: a known one, else that of the file."""
        return self.text(content) or self.read(name, content)

    def write(self, wanted: Mapping[str, str]) -> frozenset[str]:
        """Write the files (name → content) that are missing or have another content. Raises OSError.

        Returns the contents that are nowhere.
        """
        missing: set[str] = set()
        for name, content in wanted.items():
            if self.read(name, content) is not None:
                continue
            text = self.text(content)
            if text is None:
                missing.add(content)
                continue
            path = Path(self._paths.authority(name))
            if not path.parent.exists():
                files.make_folder(path.parent, 0o750, group=self._group())
            files.write(path, text.encode(), group=self._group())
        return frozenset(missing)

    def collect(self, keep: Collection[str]) -> None:
        """Remove all other files."""
        for path in Path(self._paths.authority("x")).parent.glob("*.pem"):
            if path.stem not in keep:
                path.unlink(missing_ok=True)
