"""The user that HAProxy runs as: who may read its files, before and after an apply that changes it."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.environments import serving_health
from rancherctl.ingress.haproxy import render
from rancherctl.ingress.haproxy.driver import FORMER_USER, Driver
from rancherctl.ingress.haproxy.layout import build
from rancherctl.ingress.model import Model
from tests.fakes import ingress as fake

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are given to other groups")
OTHER = pwd.getpwnam("daemon")
"""In the place of the load balancer's own user, which this machine does not have."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own ones are private."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("former", [True, False])
def test_files_belong_to_the_group_of_the_folder_which_changes_with_the_unit(folder: Path, former: bool) -> None:
    paths = render.Paths(data=str(folder / "data"), run=str(folder / "run"), ipv4="127.0.0.1")
    for each in (paths.data, paths.run):
        Path(each).mkdir(mode=0o750)
    wanted = pwd.getpwnam(FORMER_USER) if former else OTHER
    driver = Driver(paths, user=OTHER.pw_name)  # started before the apply reaches the folder
    os.chown(paths.data, 0, wanted.pw_gid)
    layout = build(Model(fake.http_listeners(fake.free_port(), ["IPv4"])), None)
    driver.checker.check(layout)  # HAProxy reads copies of the files as that user
    driver.save(replace(layout, text=driver.text))
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in Path(paths.data).iterdir()}
    assert owners.keys() >= {"check", "haproxy.cfg", "hosts.map"}
    assert set(owners.values()) == {(0, wanted.pw_gid)}, grp.getgrgid(wanted.pw_gid)


def test_the_check_on_a_host_tells_any_answer_from_none() -> None:
    pod = fake.Pod("w")

    def check(port: int) -> int:
        program, text = serving_health._PROGRAM, f'["127.0.0.1", {port}, 5]'
        command = [sys.executable, "-I", "-c", program]
        return subprocess.run(command, input=text, text=True, timeout=30, check=False).returncode

    assert check(pod.port) == 0
    pod.close()
    assert check(pod.port) == 1
