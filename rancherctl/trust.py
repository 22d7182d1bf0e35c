"""TLS contexts of clients that verify servers like kubectl. Standard library only, used on hosts too."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(ca: Path | bytes | None = None) -> ssl.SSLContext:
    """A context that trusts ``ca`` (a path or PEM), without it the system's authorities.

    OSError or ssl.SSLError for a file or PEM that cannot be used.
    """
    file = str(ca) if isinstance(ca, Path) else None
    data = ca.decode("ascii", "replace") if isinstance(ca, bytes) and ca else None
    context = ssl.create_default_context(cafile=file, cadata=data)
    # Python 3.13 sets it. Go, and so kubectl, accepts certificates without the extensions that it requires.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
