"""Hosts without a package mirror: packages come from the bundle, interrupted runs resume, rm removes exactly those."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from rancherctl.lab.model import Os
from rancherctl.lab.session import RunningLab, running_lab
from scripts.prepare import source
from tests.lab.host_state import state
from tests.lab.support import BIN, Environment, lab_name, make

pytestmark = pytest.mark.slow
NAME = lab_name("air")
NO_WAY_OUT = """
rm -rf /srv/lab-packages /etc/apt/sources.list.d/* /var/lib/apt/lists/* /var/cache/apt/*.bin
! apt-get install -s haproxy 2>/dev/null
"""
APT = "find /etc/apt /var/lib/apt/lists /var/cache/apt/archives ! -name lock -printf '%p %s\\n' | sort"


@dataclass(frozen=True)
class Air:
    """An environment whose hosts get everything from the bundle, and the state of the hosts before it."""

    environment: Environment
    bundle: Path
    before: dict[str, set[str]]
    apt: dict[str, str]

    @property
    def lab(self) -> RunningLab:
        return self.environment.lab

    def lines(self) -> dict[str, set[str]]:
        return {host: state(self.lab, host) for host in self.before}

    def packages(self, host: str) -> set[str]:
        return set(self.lab.ssh(host, "dpkg-query -W -f '${Package}\\n'").split())

    def deb(self, name: str) -> Path:
        return next(self.bundle.glob(f"packages/*/{name}_*.deb"))


@pytest.fixture(scope="module", params=["debian13", "debian12"])
def air(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Air]:
    system = cast("Os", request.param)
    with running_lab(f"{NAME}{system[-2:]}", 2, bare=True, os=system) as lab:
        made = make(f"{NAME}-{system}", lab, tmp_path_factory.mktemp(system))
        bundle = made.home / "bundle"
        made.ok("bundle", "create", "--source", source(), "--packages", system, "--dir", str(bundle))
        names = [host.name for host in lab.hosts()]
        for name in names:
            lab.ssh(name, NO_WAY_OUT)
        yield Air(
            replace(made, extra={"RANCHERCTL_BUNDLE": str(bundle)}),
            bundle,
            {name: state(lab, name) for name in names},
            {name: lab.ssh(name, APT) for name in names},
        )


def test_the_plan_names_the_packages_from_the_bundle_and_changes_nothing(air: Air) -> None:
    output = air.environment.ok("env", "plan", "-f", str(air.environment.file))
    version = air.deb("haproxy").name.split("_")[1]
    assert f"+ install package haproxy {version}" in output
    assert "+ install package bind9-libs " in output, "dependencies are listed, too"
    assert "package openssl" not in output, "an installed package stays unchanged"
    assert air.lines() == air.before


def test_a_damaged_package_is_detected_on_the_host_and_the_next_apply_resumes(air: Air) -> None:
    deb = air.deb("haproxy")
    good = deb.read_bytes()
    deb.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    done = air.environment.rancherctl("env", "apply", "-f", str(air.environment.file))
    deb.write_bytes(good)
    assert done.returncode == 1
    assert f"{deb.name} has the hash" in done.stderr
    assert "run the same command again" in done.stderr
    assert air.packages("h1") == {line.split()[1] for line in air.before["h1"] if line.startswith("package ")}


def test_an_apply_killed_while_packages_are_installed_is_resumed(air: Air) -> None:
    process = subprocess.Popen(
        [str(BIN / "rancherctl"), "env", "apply", "-f", str(air.environment.file), "--progress", "plain"],
        env=air.environment.variables,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if " packages " in line:
            air.lab.ssh(
                "h1", "while ! pgrep -x dpkg >/dev/null; do :; done; pkill -9 -x apt-get; pkill -9 -x dpkg; true"
            )
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL
    air.environment.ok("env", "apply", "-f", str(air.environment.file))
    nodes = air.environment.get("nodes")["items"]
    assert {n["metadata"]["name"] for n in nodes} == {"h1", "h2"}


def test_only_missing_packages_were_installed_and_apt_is_unchanged(air: Air) -> None:
    for host in air.before:
        came = air.packages(host) - {line.split()[1] for line in air.before[host] if line.startswith("package ")}
        assert {"haproxy", "bind9", "runc", "conntrack", "nftables", "bind9-libs"} <= came
        assert came <= {path.name.split("_")[0] for path in air.bundle.glob("packages/*/*.deb")}
        assert air.lab.ssh(host, APT) == air.apt[host]
        assert (
            air.lab.ssh(host, "find /var/lib/rancherctl /run /tmp /opt -name '*.deb' -o -name '.*.rancherctl-part'")
            == ""
        )
        assert "bind9-libs" in air.lab.ssh(host, "apt-mark showauto").split(), "it goes with what it came for"


def test_a_second_run_plans_nothing(air: Air) -> None:
    assert "nothing to do" in air.environment.ok("env", "apply", "-f", str(air.environment.file))


def test_rm_removes_exactly_these_packages(air: Air) -> None:
    air.environment.ok("env", "rm", air.environment.name, "--confirm", air.environment.name)
    after = air.lines()
    for host, lines in air.before.items():
        assert after[host] - lines == set(), f"left on {host}"
        assert lines - after[host] == set(), f"gone from {host}"
