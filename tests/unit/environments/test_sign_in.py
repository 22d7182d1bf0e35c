"""How a control-plane host is asked for tokens again: by OpenSSH, which must be as strict about host keys as the library is."""

from rancherctl.environments.sign_in import PROGRAM, issue
from rancherctl.hosts.model import Host, SshAddress

SSH = SshAddress(
    "boss.example.org",
    user="ops",
    port=2222,
    identity="/home/me/.ssh/ops",
    known_hosts="/home/me/.ssh/known",
    jump="gate",
)


def options(argv: tuple[str, ...]) -> dict[str, str]:
    return dict(argv[i + 1].split("=", 1) for i, word in enumerate(argv) if word == "-o")


def test_host_keys_are_checked_whatever_the_users_configuration_says() -> None:
    """`StrictHostKeyChecking no` there would hand a token, or a way to the API, to whoever answers."""
    argv = issue(Host("h1", "10.0.0.11", frozenset({"controlplane"}), SSH), "alice", "laptop")
    found = options(argv)
    assert found["StrictHostKeyChecking"] == "yes"
    assert found["BatchMode"] == "yes"
    assert found["UserKnownHostsFile"] == "/home/me/.ssh/known"
    assert argv[-6:] == ("boss.example.org", PROGRAM, "--operator", "alice", "--session", "laptop")
