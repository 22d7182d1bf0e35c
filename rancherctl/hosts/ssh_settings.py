"""How to reach a host: the user's own ssh configuration as ``ssh -G`` resolves it, as a frozen value.

``ssh`` itself is asked, because it alone knows Include, Match and ProxyJump; where OpenSSH is missing, hosts.ssh.login gives the
settings of its own library's parser in the same form.
"""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rancherctl.errors import UsageError
from rancherctl.hosts.model import SshAddress

DEFAULT_KNOWN_HOSTS = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
JUMP_LIMIT = 5


@dataclass(frozen=True, slots=True)
class SshSettings:
    """All that is needed to connect. ``key_name`` is the name under which the host key is kept; ``jump`` is reached first, the nearest host last."""

    host: str
    port: int
    user: str
    key_name: str = ""
    identities: tuple[str, ...] = ()
    identities_only: bool = False
    known_hosts: tuple[str, ...] = DEFAULT_KNOWN_HOSTS
    proxy_command: str = ""
    jump: tuple[SshAddress, ...] = ()
    keepalive: int = 15
    agent: bool = True


def arguments(address: SshAddress) -> list[str]:
    """The words of the ``ssh -G`` call for an address; UsageError for a host that ssh would take for an option."""
    if address.host.startswith("-") or address.user.startswith("-") or not address.host:
        raise UsageError(f"not a host to connect to: {address.host!r}")
    words = ["ssh", "-G"]
    words += ["-F", str(Path(address.config).expanduser())] if address.config else []
    words += ["-p", str(address.port)] if address.port else []
    words += ["-l", address.user] if address.user else []
    return [*words, "--", address.host]


def resolve(address: SshAddress, *, timeout: float = 15.0) -> SshSettings | None:
    """The settings of ``ssh -G``; None where OpenSSH is not installed. UsageError when the configuration is wrong."""
    try:
        done = subprocess.run(
            arguments(address), capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"ssh -G {address.host} did not answer within {timeout:.0f} s",
            hint="check the Match exec lines of your ssh configuration",
        ) from error
    if done.returncode != 0:
        raise UsageError(
            f"the ssh configuration for {address.host} is wrong",
            why=(done.stderr.strip().splitlines() or ["ssh -G failed"])[-1],
        )
    return settings_of(address, parse(done.stdout))


def parse(text: str) -> dict[str, list[str]]:
    """Keyword in lower case → its values, in order, of ``ssh -G`` output."""
    out: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        out.setdefault(keyword.lower(), []).append(value.strip())
    return out


def settings_of(address: SshAddress, found: Mapping[str, Sequence[str]]) -> SshSettings:
    """Settings from resolved keywords; what the address names itself comes first."""

    def one(keyword: str, default: str = "") -> str:
        value = (found.get(keyword) or [default])[0]
        return default if value.lower() == "none" else value

    identities = (address.identity,) if address.identity else tuple(found.get("identityfile", ()))
    files = (
        (address.known_hosts,)
        if address.known_hosts
        else tuple(word for k in ("userknownhostsfile", "globalknownhostsfile") for word in one(k).split())
    )
    interval = int(one("serveraliveinterval", "0") or "0")
    base = SshSettings(
        host=one("hostname", address.host),
        port=int(one("port", str(address.port or 22))),
        user=address.user or one("user") or getpass.getuser(),
        key_name=one("hostkeyalias"),
        identities=tuple(identities),
        identities_only=one("identitiesonly") == "yes",
        known_hosts=files or DEFAULT_KNOWN_HOSTS,
        keepalive=interval or 15,
        agent=(found.get("identityagent") or [""])[0].lower() != "none",
    )
    jump = address.jump or one("proxyjump")
    if jump:
        return replace(base, jump=jumps(jump, address))
    return replace(base, proxy_command=_expand(one("proxycommand"), base))


def jumps(text: str, address: SshAddress) -> tuple[SshAddress, ...]:
    """The hosts of a ProxyJump value, in the order in which they are passed; each is resolved with the same configuration file."""
    out = []
    for word in text.split(","):
        user, _, place = word.strip().removeprefix("ssh://").rpartition("@")
        try:
            host, port = _host_port(place)
        except ValueError as error:
            raise UsageError(
                f"{address.host}: {word.strip()!r} is not a jump host", hint="write user@host:port"
            ) from error
        known_hosts, identity = address.known_hosts, address.identity
        out.append(
            SshAddress(host, user=user, port=port, identity=identity, config=address.config, known_hosts=known_hosts)
        )
    if len(out) > JUMP_LIMIT:
        raise UsageError(f"{address.host}: more than {JUMP_LIMIT} jump hosts")
    return tuple(out)


def _host_port(place: str) -> tuple[str, int]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, int(rest.removeprefix(":") or 0)
    if place.count(":") == 1:
        host, _, port = place.partition(":")
        return host, int(port or 0)
    return place, 0


def _expand(command: str, base: SshSettings) -> str:
    for token, value in (("%h", base.host), ("%p", str(base.port)), ("%r", base.user)):
        command = command.replace(token, value)
    return command
