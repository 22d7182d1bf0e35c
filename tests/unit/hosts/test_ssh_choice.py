"""Which ssh client connects to a host, and the reason that logs and errors give."""

from __future__ import annotations

import pytest

from rancherctl.hosts.ssh_choice import Machine, choose
from rancherctl.hosts.ssh_settings import SshSettings

PLAIN = SshSettings("10.0.0.11", 22, "root")
TOKEN = SshSettings("10.0.0.11", 22, "root", openssh_only=("PKCS11Provider /p.so",))
OPEN = SshSettings("10.0.0.11", 22, "root", control_path="/run/user/0/cm")
HERE = Machine()
KEY = Machine(key_files=("the security key /k",))
MISSING = Machine(no_openssh="OpenSSH is not installed")


@pytest.mark.parametrize(
    ("settings", "machine", "jumps", "client", "reason"),
    [
        (PLAIN, HERE, (), "paramiko", "the ssh configuration does not need OpenSSH"),
        (PLAIN, MISSING, (), "paramiko", "the ssh configuration does not need OpenSSH"),
        (TOKEN, HERE, (), "openssh", "the ssh configuration needs PKCS11Provider /p.so"),
        (OPEN, HERE, (), "openssh", "the ssh configuration needs the open master connection /run/user/0/cm"),
        (PLAIN, KEY, (), "openssh", "the ssh configuration needs the security key /k"),
        (
            PLAIN,
            HERE,
            (("gate", "RevokedHostKeys /r"),),
            "openssh",
            "the ssh configuration needs RevokedHostKeys /r of the jump host gate",
        ),
        (TOKEN, KEY, (), "openssh", "the ssh configuration needs PKCS11Provider /p.so, the security key /k"),
    ],
)
def test_auto_takes_openssh_where_the_configuration_needs_it(
    settings: SshSettings, machine: Machine, jumps: tuple[tuple[str, str], ...], client: str, reason: str
) -> None:
    found = choose("auto", settings, machine, jumps)
    assert (found.client, found.reason, found.warning, found.problem) == (client, reason, "", "")


def test_a_requested_client_is_taken() -> None:
    assert choose("openssh", PLAIN, HERE).client == "openssh"
    assert choose("paramiko", PLAIN, HERE).client == "paramiko"
    assert choose("openssh", PLAIN, HERE).reason == choose("paramiko", PLAIN, HERE).reason == "requested"


def test_paramiko_requested_against_the_configuration_gives_a_warning() -> None:
    assert choose("paramiko", PLAIN, HERE).warning == ""
    warning = choose("paramiko", TOKEN, HERE).warning
    assert warning == "the ssh configuration needs PKCS11Provider /p.so, which paramiko does not support"


@pytest.mark.parametrize(("requested", "settings"), [("auto", TOKEN), ("openssh", PLAIN)])
def test_openssh_that_is_not_there_is_a_problem_with_a_remedy(requested: str, settings: SshSettings) -> None:
    found = choose(requested, settings, MISSING)  # type: ignore[arg-type]
    assert found.problem == "OpenSSH is not installed"
    assert "openssh-client" in found.remedy
    assert "--ssh-client" in found.remedy
