"""Signs a control-plane host's leaf certificates again before they end: started by a timer, needs no API and no operator.

Which leaves there are stands in a file that apply writes; nothing is guessed. Key, subject, names and usages stay, only serial number and
validity change. Whatever cannot be proven to be ours (authority, key) is left alone and told. The programs that use these
certificates read changed files by themselves (decision 13), so nothing is restarted.
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
from rancherctl.errors import ConflictError, NotFoundError, PartialError, RancherctlError, UsageError
from rancherctl.hosts.command import command
from rancherctl.hosts.remote import disk
from rancherctl.hosts.transport import CommandFailedError, Transport

log = logging.getLogger(__name__)
PATH = Path("/etc/rancherctl/certificates.json")
DAY = 86400.0
LIFE = 365 * DAY
BACKDATED = DAY
"""Certificates begin a day before they are signed: a host whose clock was a day ahead does not lock the others out."""
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
class Leaf:
    """One certificate to look after; all but ``name`` are absolute paths on this host."""

    name: str
    crt: str
    key: str
    ca: str
    ca_key: str


def dump(leaves: Iterable[Leaf]) -> str:
    """The file's text."""
    return json.dumps({"leaves": [asdict(leaf) for leaf in leaves]}, indent=1) + "\n"


def load(path: Path = PATH) -> tuple[Leaf, ...]:
    """Read the file; UsageError names what is wrong with it."""
    try:
        return tuple(Leaf(**item) for item in json.loads(path.read_text())["leaves"])
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist", hint="only control-plane hosts have it; `rancherctl env apply` writes it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be used",
            why=f"{type(error).__name__}: {error}",
            hint="`rancherctl env apply` writes it anew",
        ) from error


def run(transport: Transport, leaves: Iterable[Leaf], now: float) -> tuple[str, ...]:
    """Sign again what is due at ``now`` (seconds since the epoch); their names. PartialError after all were tried, one line for each that failed."""
    done, failed, wanted = [], {}, tuple(leaves)
    for leaf in wanted:
        try:
            if _one(transport, leaf, now):
                done.append(leaf.name)
        except (RancherctlError, OSError, disk.StepError) as error:
            failed[leaf.name] = str(error)
            log.error("%s: %s", leaf.name, error)  # noqa: TRY400  a known failure is one line
    if failed:
        raise PartialError(
            f"{len(failed)} of {len(wanted)} certificates of this host cannot be looked after",
            failed,
            hint="they were left as they are; `rancherctl env apply` makes missing and foreign ones anew",
        )
    return tuple(done)


def _one(transport: Transport, leaf: Leaf, now: float) -> bool:
    for path in (leaf.crt, leaf.key, leaf.ca, leaf.ca_key):
        if not Path(path).is_file():
            raise NotFoundError(f"{path} is missing")
    before = Path(leaf.crt).read_bytes()
    kept = _belongs(transport, leaf)
    start, end = window(transport, Path(leaf.crt))
    if not due(start, end, now):
        log.info("%s: %.0f days left, nothing to do", leaf.name, (end - now) / DAY)
        return False
    first, last = window(transport, Path(leaf.ca))
    begins, ends = max(first, now - BACKDATED), min(now + LIFE, last)
    if ends < end + DAY:
        raise ConflictError(
            f"{leaf.crt} has {(end - now) / DAY:.0f} days left and cannot live longer",
            why=f"its authority {leaf.ca} ends {_day(last)}",
        )
    with tempfile.TemporaryDirectory(prefix="rancherctl-") as folder:
        new = _signed(transport, leaf, Path(folder), begins, ends)
        if _content(transport, new) != kept or not _trusted(transport, leaf.ca, new):
            raise ConflictError(
                f"{leaf.crt}: openssl made something else than the same certificate with a new end", why="not installed"
            )
        if Path(leaf.crt).read_bytes() != before:
            raise ConflictError(f"{leaf.crt} was changed by somebody else meanwhile", why="theirs was kept")
        replace(Path(leaf.crt), new.read_bytes())
    log.info("%s: had %.0f days left, signed again until %s", leaf.name, (end - now) / DAY, _day(ends))
    return True


def _belongs(transport: Transport, leaf: Leaf) -> str:
    """What must stay the same in the certificate; ConflictError unless it is one leaf of this authority and of this key."""
    count = Path(leaf.crt).read_bytes().count(b"BEGIN CERTIFICATE")
    if count != 1:
        raise ConflictError(f"{leaf.crt} holds {count} certificates", why="one was expected")
    content = _content(transport, Path(leaf.crt))
    if not _trusted(transport, leaf.ca, Path(leaf.crt)):
        raise ConflictError(f"{leaf.crt} was not signed by {leaf.ca}")
    if "CA:TRUE" in content:
        raise ConflictError(f"{leaf.crt} is an authority, not a leaf")
    for crt, key in ((leaf.crt, leaf.key), (leaf.ca, leaf.ca_key)):
        if _run(transport, "x509", "-in", crt, "-noout", "-pubkey") != _run(transport, "pkey", "-in", key, "-pubout"):
            raise ConflictError(f"{crt} does not belong to {key}")
    return content


def _content(transport: Transport, path: Path) -> str:
    return _run(
        transport, "x509", "-in", str(path), "-noout", "-subject", "-nameopt", "RFC2253", "-pubkey", "-ext", _KEPT
    )


def _trusted(transport: Transport, ca: str, crt: Path) -> bool:
    """Whether the authority's signature is on it; its time does not matter."""
    words = ("openssl", "verify", "-CAfile", ca, "-no-CApath", "-no-CAstore", "-no_check_time", str(crt))
    return transport.run(command(*words, root=False), check=False).ok


def _signed(transport: Transport, leaf: Leaf, folder: Path, begins: float, ends: float) -> Path:
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
