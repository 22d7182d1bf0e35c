"""One HTTP request, and what its answer means: an open response, try again, or a final error."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from email.message import Message
from typing import IO, Final

from rancherctl.errors import NotFoundError, RancherctlError, UsageError

NETWORK: Final = (OSError, http.client.HTTPException)
"""urllib.error.URLError, TimeoutError and ssl.SSLError are OSErrors; a chunked body cut short is an HTTPException."""

_RETRY_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_ASKED: Final = 60.0


class AgainError(Exception):
    """An attempt failed in a way that another may not; ``pause`` is what the server asked for, in seconds."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause


class BeyondEndError(Exception):
    """HTTP 416: the Range begins at or past the file's end; ``size`` of the file, -1 if unknown."""

    def __init__(self, size: int) -> None:
        super().__init__(f"range beyond the end of {size} bytes")
        self.size = size


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http: checksums come this way too."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            raise RancherctlError(
                f"{req.full_url} cannot be fetched", why=f"it redirects to {newurl}, which is not https"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # the stub wants its own class


def open_url(url: str, have: int, timeout: float) -> http.client.HTTPResponse:
    """GET ``url`` from byte ``have`` on; ``timeout`` is seconds without a byte. The caller closes what comes back.

    Raises AgainError, BeyondEndError, NotFoundError (404, 410), RancherctlError (other status), UsageError (not a URL).
    """
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url} is not an http or https URL")
    headers = {"User-Agent": "rancherctl", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        response = urllib.request.build_opener(_NoDowngrade).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise _meaning(url, error) from error
    except NETWORK as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise AgainError(str(reason) or type(reason).__name__) from error
    assert isinstance(response, http.client.HTTPResponse), "http and https answers are"
    return response


def range_start(headers: Message) -> int:
    """The first byte that a 206 answer brings, -1 when it does not say."""
    unit, _, rest = (headers.get("Content-Range") or "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdigit() else -1


def _meaning(url: str, error: urllib.error.HTTPError) -> Exception:
    why = f"HTTP {error.code} {error.reason}"
    if error.code == 416:
        size = (error.headers.get("Content-Range") or "").rpartition("/")[2]
        return BeyondEndError(int(size) if size.isdigit() else -1)
    if error.code in {404, 410}:
        return NotFoundError(f"{url} does not exist", why=why, hint="is this version released for this architecture?")
    if error.code in _RETRY_STATUS:
        after = error.headers.get("Retry-After") or ""
        return AgainError(why, min(_LONGEST_ASKED, float(after)) if after.isdigit() else 0.0)
    return RancherctlError(f"{url} cannot be fetched", why=why)
