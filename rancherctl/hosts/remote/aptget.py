"""Run apt-get and dpkg.

Non-interactive, waiting for other processes' locks, with short reasons for failures.
"""

from __future__ import annotations

import subprocess

from rancherctl.hosts.remote.run import last_lines, run

APT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
    "NEEDRESTART_MODE": "l",
}
OPTIONS = (
    "-y", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confdef",
    "-o", "Dpkg::Options::=--force-confold",
)  # fmt: skip
"""Without a terminal of its own, dpkg prints errors on standard error."""
TIMEOUT = 900.0
_UNMET = "The following packages have unmet dependencies:"


def apt_get(verb: str, *words: str, scratch: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``apt-get VERB WORDS``; it may fail.

    ``scratch`` is a folder for its temporary files, which it leaves if killed.
    """
    return run("apt-get", *OPTIONS, verb, *words, timeout=TIMEOUT, extra={**APT, "TMPDIR": scratch} if scratch else APT)


def configure() -> subprocess.CompletedProcess[str]:
    """Finish what dpkg was interrupted in."""
    return run("dpkg", "--configure", "-a", timeout=TIMEOUT, extra=APT)


def reasons(done: subprocess.CompletedProcess[str]) -> str:
    """Why apt-get failed: unmet dependencies, the first error of dpkg, and its own errors."""
    out, errors = done.stdout.splitlines(), done.stderr.splitlines()
    unmet = out[out.index(_UNMET) + 1 :] if _UNMET in out else []
    lines = [" ".join(line.split()) for line in unmet if line.startswith(" ")][:6]
    failed = next((number for number, line in enumerate(errors) if line.startswith("dpkg: error")), None)
    if failed is not None:
        # the next line has the reason
        lines.append(" ".join(" ".join(errors[failed : failed + 2]).split()))
    own = [line for line in errors if line.startswith("E: ") and not line.endswith(":")]
    lines += [line for line in own if not lines or "Sub-process" not in line][:3]
    return " / ".join(lines) or last_lines(done)
