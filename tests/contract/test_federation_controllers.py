"""The controllers that a federation runs exist in the kube-controller-manager that is installed."""

from __future__ import annotations

import re
import subprocess

import pytest

from rancherctl.environments.components.managers import FEDERATION_CONTROLLERS
from tests.lab.apiserver import binaries


def known() -> set[str]:
    """The names that kube-controller-manager prints in its help; with an unknown one it does not start."""
    program = next(iter(sorted(binaries().glob("kubernetes/*/kube-controller-manager"))))
    done = subprocess.run([str(program), "--help"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"All controllers: (.*?)\n", done.stdout + done.stderr)
    assert found, (done.stdout + done.stderr)[:500]
    return set(found[1].split(", "))


@pytest.mark.parametrize("name", FEDERATION_CONTROLLERS)
def test_a_controller_of_the_list_exists(name: str) -> None:
    assert name in known()


def test_what_must_not_run_exists_too_and_is_not_in_the_list() -> None:
    harmful = {
        "garbage-collector-controller",
        "root-ca-certificate-publisher-controller",
        "deployment-controller",
        "endpointslice-controller",
    }
    assert harmful <= known()
    assert not harmful & set(FEDERATION_CONTROLLERS)
