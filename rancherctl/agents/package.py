"""Build the agent as one file: a reproducible zipapp of this package's host side and dnspython."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rancherctl.text import short_digest

NOT_ON_HOSTS = (
    "bundle/",
    "cli/",
    "credentials/",
    "dns/operator/",
    "environments/",
    "federation/operator/",
    "ingress/operator/",
    "ingress/remote.py",
    "lab/",
    "output/",
    "services/operator/",
    "settings.py",
    "hosts/connections.py",
    "hosts/openssh",
    "hosts/remote_host.py",
    "hosts/session_slots.py",
    "hosts/ssh",
    "pod_paths/join_site.py",
    "kube/official",
    "kube/connect",
    "agents/package.py",
    "agents/install.py",
    "agents/units.py",
)
"""What only the operator's machine runs. Everything else is shipped, so that a new module cannot be forgotten."""
MAIN = "import sys\nfrom rancherctl.agents.main import main\nsys.exit(main(sys.argv[1:]))\n"
EPOCH = (1980, 1, 1, 0, 0, 0)


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


def members() -> Iterator[tuple[str, bytes]]:
    """Yield the path in the archive and the content of every module that hosts need, sorted."""
    ours = _root("rancherctl")
    for path in sorted(ours.rglob("*.py")):
        member = path.relative_to(ours).as_posix()
        if not member.startswith(NOT_ON_HOSTS):
            yield f"rancherctl/{member}", path.read_bytes()
    theirs = _root("dns")
    for path in sorted(theirs.rglob("*.py")):
        yield f"dns/{path.relative_to(theirs).as_posix()}", path.read_bytes()


@cache
def build() -> bytes:
    """Return the archive's bytes. Entries carry a fixed date, so that equal sources give equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in (*members(), ("__main__.py", MAIN.encode())):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def digest() -> str:
    """Return twelve hex digits that name this build on hosts."""
    return short_digest(build())
