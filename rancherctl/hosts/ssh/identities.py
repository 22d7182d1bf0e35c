"""Keys to try at a login: identity files, certificates and the keys of the agent, in OpenSSH's way.

A key file whose private half is locked or absent is used through the agent, if the agent holds it. Each certificate of
a key is tried before the key alone, so that an expired or foreign certificate does not spoil a key that works alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import paramiko

from rancherctl.errors import AuthError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh.agent import AgentError, AgentKey, SshAgent
from rancherctl.hosts.ssh.public_keys import Certificate, public_half, read_certificate
from rancherctl.hosts.ssh_options import KEYS_AND_CERTIFICATES, allowed
from rancherctl.hosts.ssh_settings import SshSettings, is_default_identity

_KINDS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class _IdentityFile:
    path: Path
    public: bytes | None
    explicit: bool


class Identities:
    """The keys for one login. ``problems`` collects files and sockets that could not be used, and why."""

    def __init__(self, settings: SshSettings, prompts: Prompts) -> None:
        self._settings, self._prompts = settings, prompts
        self.problems: dict[str, str] = {}

    def candidates(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Each key with its description: explicit files and what the agent holds first, questions last."""
        accepted = allowed(KEYS_AND_CERTIFICATES, self._settings.algorithms.user_keys) or KEYS_AND_CERTIFICATES
        for what, key in self._all():
            if _algorithms(key).isdisjoint(accepted):
                self.problems[what] = "is of a type that PubkeyAcceptedAlgorithms leaves out"
            else:
                yield what, key

    def _all(self) -> Iterator[tuple[str, paramiko.PKey]]:
        with ExitStack() as stack:
            held = {key.blob: key for key in self._agent_keys(stack)}
            files = [
                _IdentityFile(Path(text), public_half(Path(text)), explicit=not is_default_identity(text))
                for text in self._settings.identities
            ]
            certificates = self._certificates(files)
            used: set[bytes] = set()
            later = []
            for file in files:
                if file.public is not None and file.public in held:
                    used.add(file.public)
                    yield from self._with_agent(f"{file.path} (agent)", held[file.public], certificates)
                elif file.explicit and (key := self._load(file)) is not None:
                    yield from _with_certificates(str(file.path), key, certificates)
                else:
                    later.append(file)
            listed = {certificate.public.key_blob for certificate in certificates}
            for blob, agent_key in held.items():
                if blob not in used and (not self._settings.identities_only or blob in listed):
                    yield from self._with_agent(f"agent key {agent_key.comment}", agent_key, certificates)
            for file in later:
                if (locked := self._load(file, ask=True)) is not None:
                    yield from _with_certificates(str(file.path), locked, certificates)

    def _agent_keys(self, stack: ExitStack) -> list[AgentKey]:
        if not self._settings.agent:
            return []
        try:
            return stack.enter_context(SshAgent(self._settings.agent)).keys()
        except AgentError as error:
            self.problems[f"agent {self._settings.agent}"] = str(error)
            return []

    def _with_agent(
        self, what: str, key: AgentKey, certificates: Sequence[Certificate]
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        for described, candidate in _with_certificates(what, key, certificates):
            yield described, candidate
            if isinstance(candidate, AgentKey) and candidate.problem:
                self.problems[f"agent {self._settings.agent}"] = f"{candidate.problem} with {described}"

    def _certificates(self, files: Sequence[_IdentityFile]) -> list[Certificate]:
        """Those of the configuration and those beside the identity files."""
        out = []
        listed = [Path(text) for text in self._settings.certificates]
        beside = [file.path.with_name(f"{file.path.name.removesuffix('.pub')}-cert.pub") for file in files]
        for path in dict.fromkeys((*listed, *beside)):
            try:
                out.append(read_certificate(path))
            except FileNotFoundError:
                if path in listed:
                    self.problems[str(path)] = "does not exist"
            except OSError as error:
                self.problems[str(path)] = f"cannot be read: {error.strerror}"
            except ValueError as error:
                self.problems[str(path)] = str(error)
        return out

    def _load(
        self, file: _IdentityFile, *, ask: bool = False, passphrase: Secret | None = None
    ) -> paramiko.PKey | None:
        """The private key in a file; None (and a problem) if it cannot be used without the agent or a question."""
        path, name = file.path, str(file.path)
        for kind in _KINDS:
            try:
                key: paramiko.PKey = kind.from_private_key_file(
                    name, str(passphrase) if passphrase is not None else None
                )
            except FileNotFoundError:
                if file.explicit:
                    missing = "has no private key, and the agent does not hold it" if file.public else "does not exist"
                    self.problems[name] = missing
                return None
            except paramiko.PasswordRequiredException:
                given = self._prompts.passphrase(name) if ask and self._prompts.passphrase is not None else None
                if given is None:
                    self.problems[name] = "is encrypted with a passphrase"
                    return None
                return self._load(file, passphrase=given)
            except OSError as error:
                self.problems[name] = f"cannot be read: {error.strerror}"
                return None
            except (paramiko.SSHException, ValueError):
                continue
            self.problems.pop(name, None)
            return key
        if passphrase is not None:
            raise AuthError(
                f"cannot decrypt the key {path}",
                why="the passphrase is wrong",
                hint="enter the right passphrase, or add the key to an ssh agent",
            )
        public_only = path.suffix == ".pub" and file.public is not None
        self.problems[name] = (
            "is a public key whose private half the agent does not hold"
            if public_only
            else "is not a supported private key"
        )
        return None


def _algorithms(key: paramiko.PKey) -> frozenset[str]:
    """The algorithms with which a key or certificate can sign."""
    kind = key.public_blob.key_type if key.public_blob is not None else key.get_name()
    if not kind.startswith("ssh-rsa"):
        return frozenset((kind,))
    suffix = kind.removeprefix("ssh-rsa")
    return frozenset(f"rsa-sha2-{bits}{suffix}" for bits in (256, 512))


def _with_certificates(
    what: str, key: paramiko.PKey, certificates: Sequence[Certificate]
) -> Iterator[tuple[str, paramiko.PKey]]:
    """The key with each certificate for it, then the key alone."""
    for certificate in certificates:
        if certificate.blob == key.asbytes():
            certified = copy.copy(key)
            certified.public_blob = certificate.public
            yield f"{what} with {certificate.path}", certified
    yield what, key
