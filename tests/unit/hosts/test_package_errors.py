"""Short reasons for failed installs, from real output of apt and dpkg."""

from __future__ import annotations

import subprocess

from rancherctl.hosts.apply import ApplyError
from rancherctl.hosts.remote.aptget import reasons

UNMET = """\
Reading package lists...
The following packages have unmet dependencies:
 bind9 : Depends: bind9-libs (= 1:9.20.30-1~deb13u1) but it is not going to be installed
         Depends: libuv1t64 (>= 1.18.0) but it is not installable
"""
SOLVER = """\
E: Unable to correct problems, you have held broken packages.
E: The following information from --solver 3.0 may provide additional context:
   Unable to satisfy dependencies. Reached two conflicting decisions:
"""
FULL = """\
debconf: delaying package configuration, since apt-utils is not installed
dpkg: error processing archive /var/lib/rancherctl/packages/haproxy_3.0.11-1+deb13u5_amd64.deb (--unpack):
 cannot copy extracted data for './usr/share/doc/haproxy/x' to '/usr/share/doc/x.dpkg-new': failed to write \
(No space left on device)
dpkg: error processing archive /var/lib/rancherctl/packages/conntrack_1.4.8-2_amd64.deb (--unpack):
 cannot copy extracted data for './usr/share/doc/conntrack/y' to '/usr/share/doc/y.dpkg-new': failed to write \
(No space left on device)
Errors were encountered while processing:
 /var/lib/rancherctl/packages/haproxy_3.0.11-1+deb13u5_amd64.deb
 /var/lib/rancherctl/packages/conntrack_1.4.8-2_amd64.deb
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""


def reason_of(stdout: str, stderr: str) -> str:
    return reasons(subprocess.CompletedProcess(["apt-get"], 100, stdout, stderr))


def test_unmet_dependencies_are_reported_without_the_solvers_log() -> None:
    assert reason_of(UNMET, SOLVER) == (
        "bind9 : Depends: bind9-libs (= 1:9.20.30-1~deb13u1) but it is not going to be installed / "
        "Depends: libuv1t64 (>= 1.18.0) but it is not installable / "
        "E: Unable to correct problems, you have held broken packages."
    )


def test_the_cause_of_a_dpkg_failure_is_reported() -> None:
    text = reason_of("Unpacking haproxy ...\n", FULL)
    assert text.startswith(
        "dpkg: error processing archive /var/lib/rancherctl/packages/haproxy_3.0.11-1+deb13u5_amd64.deb (--unpack): "
        "cannot copy"
    )
    assert "No space left on device" in text
    assert "Sub-process" not in text
    assert "conntrack" not in text, "the first of many says it all"


def test_other_output_is_kept_as_the_reason() -> None:
    assert (
        reason_of("", "E: Sub-process /usr/bin/dpkg returned an error code (1)\n")
        == "E: Sub-process /usr/bin/dpkg returned an error code (1)"
    )
    assert reason_of("", "sh: apt-get: killed\n") == "sh: apt-get: killed"
    assert reason_of("", "") == "exit status 100"


def test_one_reason_for_many_packages_is_reported_once() -> None:
    why = "dpkg: No space left on device"
    error = ApplyError(
        "h1",
        {f"0/package/{name}": why for name in ("runc", "bind9", "haproxy", "conntrack", "nftables")}
        | {"4/file//etc/a": "odd"},
    )
    assert error.why == f"bind9, conntrack, haproxy and 2 more: {why}; /etc/a: odd"
    assert "6 of the planned changes" in error.what
    assert error.hint.startswith("free space on the host")
