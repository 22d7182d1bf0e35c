"""The authorities of clients' certificates that a host has: copies from the API, and verdicts of OpenSSL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rancherctl.ingress.copies import read_purpose_copy
from rancherctl.ingress.haproxy.authority_files import AuthorityFiles
from rancherctl.ingress.haproxy.certificates import FILE_GONE
from rancherctl.ingress.model import digest
from rancherctl.ingress.purposes import CA_FILE, CLIENT_CA, PurposeData, parse_key
from rancherctl.ingress.role import openssl
from rancherctl.ingress.translate.secret_states import SecretState
from rancherctl.kube.objects import Secret, TlsSecret
from rancherctl.kube.snapshot import Table


class AuthorityStore:
    """Knows the state of each secret with authorities. ``good``: key → content in use; it outlives a restart.

    Unlike a certificate, nothing stays in use that the secret does not say any more: routes are closed instead.
    """

    def __init__(
        self, files: AuthorityFiles, good: Mapping[str, str], refusal: Callable[[str], str] = openssl.authority_refusal
    ) -> None:
        self.good = {key: content for key, content in good.items() if is_authority(key)}
        self._files, self._refusal = files, refusal
        self._items: Mapping[str, TlsSecret | Secret] | None = None
        self._copies: dict[str, PurposeData] = {}
        self._texts: dict[str, str] = {}
        self._verdicts: dict[str, str] = {}
        files.text = self._texts.get

    @property
    def contents(self) -> dict[str, str]:
        """Key → content of its copy, usable or not."""
        return {key: copy.content for key, copy in self._copies.items()}

    def states(self, copies: Table[TlsSecret | Secret]) -> dict[str, SecretState]:
        """The state of each known secret. Until copies can be listed, those of the last start are used."""
        if copies.synced and copies.items is not self._items:
            self._take(copies.items)
        if self._items is None:
            known = {key: self._files.read(digest(key), content) for key, content in self.good.items()}
            return {key: SecretState(self.good[key]) for key, text in known.items() if text}
        states = {key: self._state(copy) for key, copy in self._copies.items()}
        self.good = {key: state.content for key, state in states.items() if state.content}
        return states

    def _take(self, items: Mapping[str, TlsSecret | Secret]) -> None:
        found = dict(read for copy in items.values() if (read := read_purpose_copy(copy)))
        self._copies = {key: data for key, data in found.items() if is_authority(key)}
        self._texts = {data.content: data.data[CA_FILE] for data in self._copies.values() if not data.unusable}
        self._verdicts = {content: why for content, why in self._verdicts.items() if content in self._texts}
        self._files.text, self._items = self._texts.get, items

    def _state(self, copy: PurposeData) -> SecretState:
        reason = copy.unusable
        if not reason:
            if copy.content not in self._verdicts:
                self._verdicts[copy.content] = self._refusal(self._texts[copy.content])
            reason = self._verdicts[copy.content]
        return SecretState(trouble="unusable", reason=reason) if reason else SecretState(copy.content)

    def refuse(self, content: str, why: str) -> None:
        """Do not use this content any more: HAProxy itself refused it."""
        if content in self._texts and why != FILE_GONE:
            self._verdicts[content] = f"HAProxy refuses it: {' '.join(why.split())[:300]}"


def is_authority(key: str) -> bool:
    """Whether a key names authorities of clients."""
    return parse_key(key)[0] == CLIENT_CA.name
