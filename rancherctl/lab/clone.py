"""A host's own files: a layer over the shared tree, a plain /var/lib, its identity and keys."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from rancherctl.lab.command import run
from rancherctl.lab.model import Lab, LabHost
from rancherctl.lab.packages import OPS_UID, OPS_USER
from rancherctl.lab.paths import LabPaths

COPY_LIMIT = 600.0  # seconds; a slow disk, and eight hosts at once

NETWORK = """\
[Match]
Name=host0

[Network]
Address={address}/{prefix}
Gateway={gateway}
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
LLDP=no
"""

HOSTS = """\
127.0.0.1 localhost
127.0.1.1 {name}
::1 localhost ip6-localhost ip6-loopback
"""

RESOLV = """\
# The lab's router, where only tests start a resolver: look-ups are refused at once instead of timing out.
nameserver {gateway}
options timeout:1 attempts:1
"""


@dataclass(frozen=True, slots=True)
class CloneFile:
    """A file to write into a host: absolute ``path`` there, text, mode and numeric owner."""

    path: str
    text: str
    mode: int = 0o644
    owner: int = 0


def files(
    lab: Lab, host: LabHost, *, machine_id: str, host_key: str, host_key_pub: str, authorized: str
) -> tuple[CloneFile, ...]:
    """Everything in which one host differs from the tree."""
    prefix = lab.networks[host.subnet].prefixlen
    gateway = lab.gateway(host.subnet)
    return (
        CloneFile("/etc/hostname", f"{host.name}\n"),
        CloneFile("/etc/machine-id", f"{machine_id}\n", 0o444),
        CloneFile("/etc/hosts", HOSTS.format(name=host.name)),
        CloneFile("/etc/resolv.conf", RESOLV.format(gateway=gateway)),
        CloneFile(
            "/etc/systemd/network/10-host0.network",
            NETWORK.format(address=host.address, prefix=prefix, gateway=gateway),
        ),
        CloneFile("/etc/ssh/ssh_host_ed25519_key", host_key, 0o600),
        CloneFile("/etc/ssh/ssh_host_ed25519_key.pub", host_key_pub),
        CloneFile("/root/.ssh/authorized_keys", authorized, 0o600),
        CloneFile(f"/home/{OPS_USER}/.ssh/authorized_keys", authorized, 0o600, OPS_UID),
    )


def write(upper: Path, tree: Path, file: CloneFile) -> None:
    """Write one file into the layer. Folders are made like the tree's: the layer's mode and owner win in an overlay."""
    parts = Path(file.path).relative_to("/").parent.parts
    for depth in range(1, len(parts) + 1):
        folder = upper.joinpath(*parts[:depth])
        if folder.exists():
            continue
        folder.mkdir(mode=0o700)
        below = tree.joinpath(*parts[:depth])
        if below.is_dir():
            shutil.copystat(below, folder)
            os.chown(folder, below.stat().st_uid, below.stat().st_gid)
        else:
            os.chown(folder, file.owner, file.owner)
    target = upper.joinpath(*Path(file.path).relative_to("/").parts)
    target.write_text(file.text, encoding="utf-8")
    target.chmod(file.mode)
    os.chown(target, file.owner, file.owner)


def keypair(path: Path, comment: str) -> None:
    """Make an ed25519 key pair at ``path`` where there is none; a half made one is replaced."""
    public = path.with_name(f"{path.name}.pub")
    if path.exists() and public.exists():
        return
    path.unlink(missing_ok=True)
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)))


def clone(lab: Lab, host: LabHost, paths: LabPaths, tree: Path) -> None:
    """Make the host's files; does nothing for a complete clone, starts over for a half made one."""
    own = paths.host(host.name)
    if own.ready.exists():
        return
    if own.root.exists():
        shutil.rmtree(own.root)
    for folder in (own.upper, own.work, own.mount, own.keys):
        folder.mkdir(parents=True, exist_ok=True)
    own.upper.chmod(0o755)
    own.keys.chmod(0o700)
    key = own.keys / "ssh_host_ed25519_key"
    keypair(key, host.name)
    run(("cp", "-a", "--reflink=auto", str(tree / "var/lib"), str(own.var_lib)), timeout=COPY_LIMIT)
    wanted = files(
        lab, host, machine_id=secrets.token_hex(16), host_key=key.read_text(encoding="ascii"),
        host_key_pub=key.with_suffix(".pub").read_text(encoding="ascii"),
        authorized=paths.key.with_suffix(".pub").read_text(encoding="ascii"),
    )  # fmt: skip
    for file in wanted:
        write(own.upper, tree, file)
    own.ready.touch()
