"""Host keys that ssh asks about, accepts or refuses: the same questions, warnings and errors as of the other client."""

from __future__ import annotations

import threading
from typing import Final

from rancherctl.errors import AuthError
from rancherctl.hosts import host_keys
from rancherctl.hosts.known_hosts import KnownHostsLine, fingerprint
from rancherctl.hosts.openssh import messages
from rancherctl.hosts.openssh.master import Master
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.hosts.ssh_settings import SshSettings

LOG_LIMIT: Final = 1.0
"""Seconds until what ssh logged before its question is read here."""


class AcceptedFingerprints:
    """Keys that were accepted or announced in this run. Thread-safe; ``asking`` is held during a question."""

    def __init__(self) -> None:
        self.asking = threading.Lock()
        self._lock = threading.Lock()
        self._known: set[tuple[str, str]] = set()

    def add(self, name: str, shown: str) -> bool:
        """Remember a key of a name; False if it was known already."""
        with self._lock:
            new = (name, shown) not in self._known
            self._known.add((name, shown))
            return new

    def has(self, name: str, shown: str) -> bool:
        """Whether this key of this name is known."""
        with self._lock:
            return (name, shown) in self._known


class HostKeyPolicy:
    """For the key of one host; ssh itself compares it with the known_hosts files and stores it."""

    def __init__(self, host: str, settings: SshSettings, prompts: Prompts, accepted: AcceptedFingerprints) -> None:
        self._host, self._settings, self._prompts, self._accepted = host, settings, prompts, accepted
        self._name = settings.key_name or host_keys.lookup_name(settings.host, settings.port)
        self._store = settings.store if host_keys.can_store(settings.store) else ""

    def ask(self, name: str, key_type: str, shown: str, master: Master | None) -> bool:
        """Whether to accept an unknown key with this fingerprint; asked once in a run."""
        with self._accepted.asking:
            if self._accepted.has(name, shown):
                return True
            if self._prompts.host_key is None:
                return False
            if master is not None and master.wait_for(lambda: _presented(master.log, shown) is not None, LOG_LIMIT):
                key = _presented(master.log, shown)
                key_type = key.key_type if key is not None else key_type
            host = self._host if name == self._name else name
            if not self._prompts.host_key(HostKeyQuestion(host, name, key_type, shown, bool(self._store))):
                return False
            self._accepted.add(name, shown)
            if self._store:
                host_keys.end_last_line(self._store)
            return True

    def prepare(self) -> None:
        """Check before a login that ssh can read and extend the files. AuthError if one cannot be read."""
        host_keys.known(self._settings.known_hosts, ())
        if self._store and self._settings.strict in ("no", "accept-new"):
            host_keys.end_last_line(self._store)

    def check_after_login(self, log: str) -> None:
        """Announce a key that the configuration accepted.

        AuthError if it is revoked: with StrictHostKeyChecking ``no`` ssh would go on.
        """
        key = messages.server_key(log)
        if key is None:
            return
        if messages.is_revoked(log):
            raise self.refused(log)
        changed = messages.changed_place(log)
        if changed is not None:
            entry = KnownHostsLine(*changed, "", "")
            self._announce(key, host_keys.changed_warning(self._host, str(key), entry))
        elif messages.was_added(log) and not self._accepted.has(self._name, key.fingerprint):
            reason = messages.not_stored(log)
            if reason:
                self._warn(f"warning: cannot store the host key in {self._store or reason}")
            store = "" if reason else self._store
            self._announce(key, host_keys.accepted_warning(self._host, str(key), store, self._settings.strict))

    def refused(self, log: str) -> AuthError:
        """Why ssh, or ``check_after_login``, refused the host's key."""
        key = messages.server_key(log) or messages.ServerKey("a key", "of unknown fingerprint")
        if messages.is_revoked(log):
            return host_keys.revoked_error(self._host, str(key), self._revoking(key))
        if (place := messages.changed_place(log)) is not None:
            return host_keys.changed_error(self._host, str(key), KnownHostsLine(*place, "", ""), self._name)
        if problem := messages.certificate_problem(log):
            return AuthError(
                f"{self._host}: the host certificate is not valid",
                why=problem,
                hint="issue a new certificate for the host, or correct the line of the authority",
            )
        return host_keys.unknown_error(self._host, str(key), self._name, self._settings.strict, self._store)

    def _revoking(self, key: messages.ServerKey) -> KnownHostsLine | None:
        names = [self._name, self._settings.host.lower()]
        lines = host_keys.known(self._settings.known_hosts, names)
        return next((line for line in lines if line.revoked and fingerprint(line.key) == key.fingerprint), None)

    def _announce(self, key: messages.ServerKey, line: str) -> None:
        if self._accepted.add(self._name, key.fingerprint):
            self._warn(line)

    def _warn(self, line: str) -> None:
        if self._prompts.warn is not None:
            self._prompts.warn(line)


def _presented(log: str, shown: str) -> messages.ServerKey | None:
    key = messages.server_key(log)
    return key if key is not None and key.fingerprint == shown else None
