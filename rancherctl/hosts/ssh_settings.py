"""Connection settings of a host.

The user's ssh configuration as resolved by ``ssh -G``, as a frozen value.

Only ``ssh`` itself knows Include, Match and ProxyJump. Where OpenSSH is missing, hosts.ssh.login reads the
configuration with paramiko and returns the same type.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import pwd
import re
import shlex
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rancherctl.errors import UsageError
from rancherctl.hosts.host_keys import Strict
from rancherctl.hosts.jump_hosts import jumps
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.mux import answers
from rancherctl.hosts.ssh_options import Keywords, openssh_only
from rancherctl.hosts.ssh_tokens import expand, expand_path, split_paths
from rancherctl.text import last_line

DEFAULT_KNOWN_HOSTS = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
DEFAULT_IDENTITIES = frozenset(
    f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa")
)
"""Files that OpenSSH tries without configuration; most do not exist."""
_NO_USER = "No user exists for uid"
Family = Literal["any", "inet", "inet6"]
_FAMILIES: dict[str, Family] = {"inet": "inet", "inet6": "inet6"}
_STRICT: dict[str, Strict] = {
    **dict.fromkeys(("yes", "true"), "yes"),
    **dict.fromkeys(("no", "off", "false"), "no"),
    "accept-new": "accept-new",
}


@dataclass(frozen=True, slots=True)
class Algorithms:
    """Lists of the configuration; () = not given."""

    kex: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    host_keys: tuple[str, ...] = ()
    user_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Everything needed to connect.

    ``key_name`` is the name in known_hosts, ``store`` the file for accepted host keys ("" = keep none); ``jump`` are
    the jump hosts, nearest first.
    """

    host: str
    port: int
    user: str
    key_name: str = ""
    identities: tuple[str, ...] = ()
    identities_only: bool = False
    known_hosts: tuple[str, ...] = DEFAULT_KNOWN_HOSTS
    store: str = ""
    hash_names: bool = False
    """Whether accepted host keys are stored without the host's name in clear text."""
    strict: Strict = "ask"
    proxy_command: str = ""
    """Shell text, with its tokens expanded."""
    shell: str = "/bin/sh"
    """The shell that runs it."""
    jump: tuple[SshAddress, ...] = ()
    keepalive: int = 15
    agent: str = ""
    """Path of the agent's socket; "" = no agent."""
    certificates: tuple[str, ...] = ()
    """Paths of user certificates; those beside the identity files come in addition."""
    family: Family = "any"
    bind_address: str = ""
    algorithms: Algorithms = Algorithms()
    control_path: str = ""
    """Socket of a live master connection that the user's own ssh holds to this host; "" = none. Never end it."""
    openssh_only: tuple[str, ...] = ()
    """What the configuration needs and paramiko cannot do, in words."""
    handover: bool = False
    """Whether OpenSSH takes over a login that paramiko cannot complete."""
    forks: bool = False
    """Whether ssh would go to the background (ForkAfterAuthentication)."""


def is_default_identity(path: str) -> bool:
    """Whether OpenSSH tries this file without configuration; it may be absent."""
    homes = {user_home(), str(Path("~").expanduser())}
    return path in {f"{home}{name[1:]}" for home in homes for name in DEFAULT_IDENTITIES}


def arguments(address: SshAddress, action: str = "-G") -> list[str]:
    """The command ``ssh -G`` (or another ``action``) for an address.

    UsageError for a host that ssh would read as an option.
    """
    if address.host.startswith("-") or address.user.startswith("-") or not address.host:
        raise UsageError(f"not a valid host: {address.host!r}")
    words = ["ssh", action]
    words += ["-F", str(Path(address.config).expanduser())] if address.config else []
    words += ["-p", str(address.port)] if address.port else []
    words += ["-l", address.user] if address.user else []
    return [*words, "--", address.host]


def resolve(address: SshAddress, *, timeout: float = 15.0) -> SshSettings | None:
    """The settings by ``ssh -G``; None if OpenSSH is not installed or does not work for this user id.

    UsageError if the configuration is invalid.
    """
    try:
        done = run_ssh(arguments(address), timeout)
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"ssh -G {address.host} did not answer within {timeout:.0f} s",
            hint='check the "Match exec" lines of your ssh configuration',
        ) from error
    if done.returncode != 0 and _NO_USER in done.stderr:
        # in a container with a user id of its own, OpenSSH does nothing at all
        return None
    if done.returncode != 0:
        raise UsageError(
            f"invalid ssh configuration for {address.host}",
            why=_reason(done.stderr),
            hint=f"check it with: {shlex.join(arguments(address))}",
        )
    found = parse(done.stdout)
    return replace(settings_of(address, found, home=user_home()), control_path=live_master(found))


def run_ssh(argv: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run OpenSSH for what it prints. FileNotFoundError if it is not installed, subprocess.TimeoutExpired."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)


def live_master(found: Mapping[str, Sequence[str]]) -> str:
    """The configured ControlPath if a master connection answers there, else ""."""
    path = (found.get("controlpath") or ["none"])[0]
    return path if path.lower() != "none" and Path(path).is_socket() and answers(path) else ""


def _reason(messages: str) -> str:
    """The first message of ``ssh -G`` that names a line of a file; the last one only counts the errors."""
    lines = [line.strip() for line in messages.splitlines()]
    return next((line for line in lines if re.search(r" line \d+", line)), last_line(messages, "ssh -G failed"))


def parse(text: str) -> dict[str, list[str]]:
    """Keyword in lower case → its values, in order, of ``ssh -G`` output."""
    out: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        out.setdefault(keyword.lower(), []).append(value.strip())
    return out


def settings_of(
    address: SshAddress,
    found: Mapping[str, Sequence[str]],
    environ: Mapping[str, str] | None = None,
    *,
    home: str = "",
) -> SshSettings:
    """Settings from resolved keywords; fields of the address itself take precedence.

    ``home`` is what ``~`` and ``%d`` mean ("" = $HOME).
    """
    environ = os.environ if environ is None else environ

    def one(keyword: str, default: str = "") -> str:
        value = (found.get(keyword) or [default])[0]
        return default if value.lower() == "none" else value

    def exists(path: str) -> bool:
        return Path(path).exists()

    user_files = split_paths(one("userknownhostsfile"), exists)
    files = (*user_files, *split_paths(one("globalknownhostsfile"), exists))
    if "userknownhostsfile" not in found:
        user_files = files = DEFAULT_KNOWN_HOSTS
    if address.known_hosts:
        user_files = files = (address.known_hosts,)
    keywords = Keywords(found)
    interval = int(one("serveraliveinterval", "0") or "0")
    base = SshSettings(
        host=one("hostname", address.host),
        port=int(one("port", str(address.port or 22))),
        user=address.user or one("user") or _local_user(),
        key_name=one("hostkeyalias"),
        identities_only=one("identitiesonly") == "yes",
        known_hosts=files,
        store=user_files[0] if user_files else "",
        hash_names=one("hashknownhosts") == "yes",
        strict=_STRICT.get(one("stricthostkeychecking", "ask").lower(), "ask"),
        keepalive=interval or 15,
        family=_FAMILIES.get(one("addressfamily"), "any"),
        bind_address=one("bindaddress"),
        algorithms=Algorithms(
            keywords.words("kexalgorithms"),
            keywords.words("ciphers"),
            keywords.words("macs"),
            keywords.words("hostkeyalgorithms"),
            keywords.words("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes"),
        ),
        forks=one("forkafterauthentication") == "yes",
    )
    jump = address.jump or one("proxyjump")
    tokens = _tokens(address, base, jump, home or environ.get("HOME") or str(Path("~").expanduser()))
    proxy_tokens = {name: tokens[name] for name in "hknpr"}
    identities = (
        (str(Path(address.identity).expanduser()),)
        if address.identity
        else _paths("IdentityFile", found.get("identityfile", ()), tokens, environ)
    )
    proxied = bool(jump or one("proxycommand"))
    base = replace(base, openssh_only=openssh_only(found, base.host, proxied=proxied))
    if keywords.keys():
        base = replace(
            base,
            identities=identities,
            certificates=_paths("CertificateFile", found.get("certificatefile", ()), tokens, environ),
            agent=_agent_socket((found.get("identityagent") or [""])[0], tokens, environ),
        )
    if jump:
        return replace(base, jump=jumps(address.jump or expand("ProxyJump", jump, proxy_tokens), address))
    command = expand("ProxyCommand", one("proxycommand"), proxy_tokens)
    return replace(base, proxy_command=command, shell=environ.get("SHELL") or "/bin/sh")


def _tokens(address: SshAddress, base: SshSettings, jump: str, home: str) -> dict[str, str]:
    """The tokens of ssh_config(5) that a path may contain."""
    local = socket.gethostname()
    tokens = {
        "d": home,
        "h": base.host,
        "i": str(os.getuid()),
        "j": jump,
        "k": base.key_name or address.host,
        "L": local.partition(".")[0],
        "l": local,
        "n": address.host,
        "p": str(base.port),
        "r": base.user,
        "u": _local_user(),
    }
    joined = "".join(tokens[name] for name in "lhpr") + jump
    # the hash that names control sockets; no protection depends on it
    return tokens | {"C": hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()}


def user_home() -> str:
    """The home directory that OpenSSH uses: the one of the user database, whatever $HOME says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(Path("~").expanduser())


def _local_user() -> str:
    """The user's name; the number of a user id without an entry in the user database."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _paths(
    keyword: str, texts: Sequence[str], tokens: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[str, ...]:
    return tuple(dict.fromkeys(expand_path(keyword, text, tokens, environ) for text in texts if text.lower() != "none"))


def _agent_socket(value: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The socket that IdentityAgent names: a path, a variable's name, ``none``, or nothing."""
    if value.lower() == "none":
        return ""
    if value in ("", "SSH_AUTH_SOCK"):
        return environ.get("SSH_AUTH_SOCK", "")
    if value.startswith("$") and not value.startswith("${"):
        return environ.get(value[1:], "")
    return expand_path("IdentityAgent", value, tokens, environ)
