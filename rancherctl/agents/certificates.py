"""Renew a control-plane host's leaf certificates before they expire: a daily job without API.

Apply writes the file that lists the leaves. Key, subject, names and usages stay the same; serial number and validity
change. A certificate that does not verify against its CA and key is left unchanged and reported. The programs that
use these certificates read changed files by themselves (decision 13), so nothing is restarted.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rancherctl.agents.renewal import due, replace, window
from rancherctl.contract import ETC
from rancherctl.errors import ConflictError, NotFoundError, PartialError, RancherctlError, UsageError
from rancherctl.hosts.command import command
from rancherctl.hosts.remote import disk
from rancherctl.hosts.transport import CommandFailedError, Transport

log = logging.getLogger(__name__)
PATH = Path(ETC) / "certificates.json"
DAY = 86400.0
LIFE = 365 * DAY
BACKDATED = DAY
"""Certificates begin a day before they are signed: a signing host whose clock is a day ahead does no harm."""
_KEPT = "subjectAltName,keyUsage,extendedKeyUsage,basicConstraints"
_CONFIG = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = names
preserve = yes
unique_subject = no
copy_extensions = copyall
[names]
organizationName = optional
commonName = supplied
"""


@dataclass(frozen=True, slots=True)
class LeafFiles:
    """One certificate to renew; all fields except ``name`` are absolute paths on this host."""

    name: str
    crt: str
    key: str
    ca: str
    ca_key: str


def dump(leaves: Iterable[LeafFiles]) -> str:
    """The file's text."""
    return json.dumps({"leaves": [asdict(leaf) for leaf in leaves]}, indent=1) + "\n"


def load(path: Path = PATH) -> tuple[LeafFiles, ...]:
    """Read the file. UsageError: it is missing or not valid."""
    try:
        return tuple(LeafFiles(**item) for item in json.loads(path.read_text())["leaves"])
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist", hint="only control-plane hosts have this file; `rancherctl env apply` writes it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not valid",
            why=f"{type(error).__name__}: {error}",
            hint="`rancherctl env apply` writes it again",
        ) from error


def renew_due(transport: Transport, leaves: Iterable[LeafFiles], now: float) -> tuple[str, ...]:
    """Renew what is due at ``now`` (seconds since the epoch) and return the renewed names.

    PartialError: some failed, after all were tried; it has one line for each.
    """
    done, failed, wanted = [], {}, tuple(leaves)
    for leaf in wanted:
        try:
            if _renew(transport, leaf, now):
                done.append(leaf.name)
        except (RancherctlError, OSError, disk.StepError) as error:
            failed[leaf.name] = str(error)
            log.error("cannot renew certificate %s: %s", leaf.name, error)  # noqa: TRY400  a known failure is one line
    if failed:
        raise PartialError(
            f"{len(failed)} of {len(wanted)} certificates of this host cannot be renewed",
            failed,
            hint="they are unchanged; `rancherctl env apply` issues missing and foreign certificates again",
        )
    return tuple(done)


def _renew(transport: Transport, leaf: LeafFiles, now: float) -> bool:
    for path in (leaf.crt, leaf.key, leaf.ca, leaf.ca_key):
        if not Path(path).is_file():
            raise NotFoundError(f"{path} is missing")
    before = Path(leaf.crt).read_bytes()
    kept = _checked_content(transport, leaf)
    start, end = window(transport, Path(leaf.crt))
    if not due(start, end, now):
        log.info("certificate %s: %.0f days left, not due for renewal", leaf.name, (end - now) / DAY)
        return False
    first, last = window(transport, Path(leaf.ca))
    begins, ends = max(first, now - BACKDATED), min(now + LIFE, last)
    if ends < end + DAY:
        raise ConflictError(
            f"{leaf.crt} expires in {(end - now) / DAY:.0f} days and cannot be renewed for longer",
            why=f"its CA {leaf.ca} expires on {_day(last)}",
        )
    with tempfile.TemporaryDirectory(prefix="rancherctl-") as folder:
        new = _signed(transport, leaf, Path(folder), begins, ends)
        if _content(transport, new) != kept or not _trusted(transport, leaf.ca, new):
            raise ConflictError(
                f"{leaf.crt}: openssl returned a different certificate",
                why="only validity and serial number may change",
            )
        if Path(leaf.crt).read_bytes() != before:
            raise ConflictError(f"{leaf.crt} was changed by another process", why="its version was kept")
        replace(Path(leaf.crt), new.read_bytes())
    log.info("renewed certificate %s, which had %.0f days left, until %s", leaf.name, (end - now) / DAY, _day(ends))
    return True


def _checked_content(transport: Transport, leaf: LeafFiles) -> str:
    """Return what must stay the same; ConflictError unless it is one leaf of this CA and this key."""
    count = Path(leaf.crt).read_bytes().count(b"BEGIN CERTIFICATE")
    if count != 1:
        raise ConflictError(f"{leaf.crt} holds {count} certificates", why="exactly one is expected")
    content = _content(transport, Path(leaf.crt))
    if not _trusted(transport, leaf.ca, Path(leaf.crt)):
        raise ConflictError(f"{leaf.crt} was not signed by {leaf.ca}")
    if "CA:TRUE" in content:
        raise ConflictError(f"{leaf.crt} is a CA certificate, not a leaf")
    for crt, key in ((leaf.crt, leaf.key), (leaf.ca, leaf.ca_key)):
        if _run(transport, "x509", "-in", crt, "-noout", "-pubkey") != _run(transport, "pkey", "-in", key, "-pubout"):
            raise ConflictError(f"{crt} and {key} do not belong together")
    return content


def _content(transport: Transport, path: Path) -> str:
    return _run(
        transport, "x509", "-in", str(path), "-noout", "-subject", "-nameopt", "RFC2253", "-pubkey", "-ext", _KEPT
    )


def _trusted(transport: Transport, ca: str, crt: Path) -> bool:
    """Whether the CA signed it; its validity period does not matter."""
    words = ("openssl", "verify", "-CAfile", ca, "-no-CApath", "-no-CAstore", "-no_check_time", str(crt))
    return transport.run(command(*words, root=False), check=False).ok


def _signed(transport: Transport, leaf: LeafFiles, folder: Path, begins: float, ends: float) -> Path:
    request, new, config = folder / "request.pem", folder / "new.pem", folder / "ca.cnf"
    config.write_text(_CONFIG.format(folder=folder))
    (folder / "index.txt").touch()
    _run(
        transport,
        "x509",
        "-x509toreq",
        "-in",
        leaf.crt,
        "-key",
        leaf.key,
        "-copy_extensions",
        "copyall",
        "-out",
        str(request),
    )
    words = (
        "ca",
        "-config",
        str(config),
        "-batch",
        "-notext",
        "-in",
        str(request),
        "-cert",
        leaf.ca,
        "-keyfile",
        leaf.ca_key,
    )
    _run(transport, *words, "-startdate", _stamp(begins), "-enddate", _stamp(ends), "-out", str(new))
    return new


def _run(transport: Transport, *words: str) -> str:
    try:
        return transport.run(command("openssl", *words, root=False)).text()
    except CommandFailedError as error:
        lines = error.result.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RancherctlError(f"openssl {words[0]} failed", why=" / ".join(lines[-3:])[:500]) from error


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d%H%M%SZ")


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
