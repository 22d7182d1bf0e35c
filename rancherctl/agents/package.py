"""The agent as one file: a zipapp of this package's host side and dnspython, the same bytes for the same sources."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OURS = (
    "errors.py",
    "secret.py",
    "change.py",
    "events.py",
    "__init__.py",
    "hosts/",
    "kube/",
    "network/",
    "ingress/",
    "dns/",
    "agents/",
)
NOT_ON_HOSTS = (
    "hosts/ssh",
    "kube/official",
    "kube/connect",
    "agents/package.py",
    "agents/install.py",
    "agents/units.py",
)
MAIN = "import sys\nfrom rancherctl.agents.main import main\nsys.exit(main(sys.argv[1:]))\n"
EPOCH = (1980, 1, 1, 0, 0, 0)


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


def members() -> Iterator[tuple[str, bytes]]:
    """Path in the archive and content of every module that hosts need, sorted."""
    ours = _root("rancherctl")
    for path in sorted(ours.rglob("*.py")):
        inside = path.relative_to(ours).as_posix()
        if inside.startswith(OURS) and not inside.startswith(NOT_ON_HOSTS):
            yield f"rancherctl/{inside}", path.read_bytes()
    theirs = _root("dns")
    for path in sorted(theirs.rglob("*.py")):
        yield f"dns/{path.relative_to(theirs).as_posix()}", path.read_bytes()


@cache
def build() -> bytes:
    """The archive's bytes. Deflated; entries carry a fixed date, so that equal sources give an equal hash."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in (*members(), ("__main__.py", MAIN.encode())):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def digest() -> str:
    """Twelve hex digits that name this build on hosts."""
    return hashlib.sha256(build()).hexdigest()[:12]
