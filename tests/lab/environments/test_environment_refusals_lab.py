"""Bad input and unfit hosts: a clear message, the right exit code, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.lab.session import running_lab
from tests.lab.support import Environment, lab_name, make, until

NAME = lab_name("bad")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with running_lab(NAME, 2) as running:
        yield make(NAME, running, tmp_path_factory.mktemp("bad"))


@pytest.fixture(autouse=True)
def untouched(lab: Environment) -> Iterator[None]:
    """After each refusal neither host has anything of rancherctl."""
    yield
    for host in ("h1", "h2"):
        assert lab.ssh(host, "ls -d /etc/rancherctl /opt/rancherctl /var/lib/rancherctl 2>/dev/null || true") == ""


def refused(lab: Environment, text: str, code: int, *texts: str) -> None:
    done = lab.rancherctl("env", "apply", "-f", "-", stdin=text)
    assert done.returncode == code, done.stderr
    for words in texts:
        assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "code", "text_of_problem"),
    [
        ("name: h2", "name: h1", 2, "used twice"),
        ("roles:\n    - worker\n    ssh", "rolez:\n    - worker\n    ssh", 2, "did you mean 'roles'?"),
        ("spec:\n", "spec:\n  kubernetes: {version: 1.36.99}\n", 2, "did you mean 1.36.3?"),
        ("spec:\n", "spec:\n  network: {podCIDR: 10.43.0.0/16}\n", 2, "overlap"),
        ("spec:\n", "spec: [\n", 2, "not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    lab: Environment, old: str, new: str, code: int, text_of_problem: str
) -> None:
    text = lab.file.read_text()
    assert old in text
    refused(lab, text.replace(old, new, 1), code, text_of_problem, "standard input:")


def test_two_names_for_one_machine_are_refused(lab: Environment) -> None:
    """The address of h1 and, for h2, another address of the same machine."""
    lab.ssh("h1", "ip addr add 10.200.0.1/32 dev lo")
    try:
        text = _ssh_to(lab.file.read_text().replace(lab.lab.host("h2").address, "10.200.0.1"), "h2", "h1")
        refused(lab, text, 1, "h2: has the same machine ID", "is it the same machine?")
    finally:
        lab.ssh("h1", "ip addr del 10.200.0.1/32 dev lo")


def _ssh_to(text: str, name: str, target: str) -> str:
    """The file with ssh of one host going to another (names of the lab's ssh configuration)."""
    head, _, tail = text.partition(f"- name: {name}\n")
    return f"{head}- name: {name}\n" + tail.replace("ssh:\n", f"ssh:\n      host: {target}\n", 1)


def test_a_port_in_use_is_refused(lab: Environment) -> None:
    lab.ssh("h2", "systemd-run --collect --unit taken python3 -m http.server 80")
    try:
        until("the port is taken", lambda: lab.ssh("h2", "ss -Hltn 'sport = :80'"))
        refused(lab, lab.file.read_text(), 1, "h2: port 80/tcp is used by python3", "nothing was changed")
    finally:
        lab.ssh("h2", "systemctl stop taken")


@pytest.mark.parametrize("daemon", ["haproxy", "named"])
def test_a_running_distribution_daemon_is_refused(lab: Environment, daemon: str) -> None:
    lab.ssh("h1", f"systemctl unmask --quiet {daemon}; systemctl start {daemon}")
    try:
        refused(lab, lab.file.read_text(), 1, f"h1: {daemon}.service is running (systemctl disable --now {daemon})")
    finally:
        lab.ssh("h1", f"systemctl stop {daemon}; systemctl mask --quiet {daemon}")


def test_a_full_disk_and_a_foreign_host_are_reported_together(lab: Environment) -> None:
    lab.ssh("h1", "mount -t tmpfs -o size=50M none /opt")
    lab.ssh(
        "h2",
        'mkdir /etc/rancherctl && echo \'{"environment": "other", "host": "h2"}\' > /etc/rancherctl/environment.json',
    )
    try:
        refused(
            lab,
            lab.file.read_text(),
            1,
            "2 problems",
            "h1: /opt has 0.0 GiB free",
            "h2: belongs to environment 'other'",
        )
    finally:
        lab.ssh("h1", "umount /opt")
        lab.ssh("h2", "rm -r /etc/rancherctl")


def test_an_unreachable_host_is_refused(lab: Environment) -> None:
    lab.lab.cut("h2")
    try:
        refused(lab, lab.file.read_text(), 7, "h2")
    finally:
        lab.lab.heal("h2")


def test_a_wrong_host_key_stops_before_anything_is_sent(lab: Environment, tmp_path: Path) -> None:
    known = lab.lab.host("h1").known_hosts
    wrong = tmp_path / "known_hosts"
    lines = known.read_text().splitlines()
    keys = [line.split()[-1] for line in lines]
    assert len(set(keys)) == len(keys) > 1
    wrong.write_text("".join(f"{' '.join(line.split()[:-1])} {keys[i - 1]}\n" for i, line in enumerate(lines)))
    text = lab.file.read_text().replace(f"knownHosts: {known}", f"knownHosts: {wrong}")
    assert str(wrong) in text
    refused(lab, text, 4, "host key")


def test_a_wrong_sudo_password_is_refused(lab: Environment, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    with_password = replace(lab, extra={"RANCHERCTL_SUDO_PASSWORD_FILE": str(secret)})
    refused(with_password, lab.file.read_text().replace("user: root", "user: ops"), 4, "sudo")
