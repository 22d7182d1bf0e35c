"""Login names of companies: with a domain before or behind, or with a plus sign."""

import pytest

from rancherctl.cli.env.ssh_login import SshLogin, target_address
from rancherctl.environments import syntax
from rancherctl.environments.inventory import from_flags
from rancherctl.errors import RancherctlError

NAMES = ["ops", "_svc", "ops@corp.example", "CORP\\ops", "ops+admin", "ops.name-1", "1234", "müller", "o", "x" * 60]


@pytest.mark.parametrize("name", NAMES)
def test_a_login_name_is_accepted_in_files_flags_and_jump_hosts(name: str) -> None:
    assert syntax.user(name) == ""
    assert syntax.jump(f"{name}@gate:22,b") == ""
    assert from_flags("demo", [f"{name}@10.0.0.11:22"]).environment.hosts[0].ssh.user == name
    found = target_address(f"{name}@10.0.0.11:2200", SshLogin())
    assert (found.user, found.host, found.port) == (name, "10.0.0.11", 2200)


@pytest.mark.parametrize(
    "name", ["-oProxyCommand=x", "a b", "a;b", "$(id)", "a`b`", "ops\\", "ops@", "a\n", "", "a'b", "a,b"]
)
def test_a_login_name_that_a_shell_or_ssh_would_read_differently_is_refused(name: str) -> None:
    assert "is not a login name" in syntax.user(name)
    with pytest.raises(RancherctlError):
        from_flags("demo", [f"{name}@10.0.0.11"])
    with pytest.raises(RancherctlError):
        target_address(f"{name}@10.0.0.11", SshLogin())
