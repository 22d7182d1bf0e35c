"""The certificates of one host: copies from the API, verdicts of OpenSSL, the last good one of each secret."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rancherctl.ingress.copies import copied, read_copy
from rancherctl.ingress.haproxy.certificates import FILE_GONE
from rancherctl.ingress.haproxy.pem_files import PemFiles
from rancherctl.ingress.role import openssl
from rancherctl.ingress.translate import certificate, pem
from rancherctl.ingress.translate.certificate import CertificateFacts
from rancherctl.ingress.translate.secret_states import DELETED_SECONDS, SecretState
from rancherctl.kube.objects import Secret, TlsSecret
from rancherctl.kube.snapshot import Table


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether a content may be used: ``reason`` says why not ("" = it may, and ``facts`` are known).

    ``state`` is that of a secret with this content. ``judged`` is false while OpenSSL was not asked.
    """

    content: str
    reason: str = ""
    facts: CertificateFacts | None = None
    judged: bool = True
    state: SecretState = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", SecretState(self.content, self.facts))


class _Copy(NamedTuple):
    """What is kept of a copy: keys stay in the table of copies only."""

    content: str
    unusable: str


class CertificateStore:
    """Knows the state of each secret. ``good``: secret → the last content that was usable; it outlives a restart.

    OpenSSL takes a millisecond for each content, so it is not asked about those that were good before a restart. With
    ``trusting`` it is not asked at all: a new HAProxy process is about to load them, and says whether it can. If it
    cannot, call ``doubt``.
    """

    def __init__(
        self,
        files: PemFiles,
        good: Mapping[str, str],
        clock: Callable[[], float],
        refusal: Callable[[pem.KeyPair], str] = openssl.refusal,
    ) -> None:
        self.good = dict(good)
        self.trusting = False
        self.contents: Mapping[str, str] = {}
        """Secret → content of its copy, usable or not."""
        self._proven = frozenset(good.values())
        self._files, self._clock, self._refusal = files, clock, refusal
        self._items: Mapping[str, TlsSecret | Secret] | None = None
        self._read: dict[str, tuple[TlsSecret | Secret, tuple[str, _Copy] | None]] = {}
        self._copies: dict[str, _Copy] = {}
        self._sources: dict[str, TlsSecret] = {}
        self._verdicts: dict[str, _Verdict] = {}
        self._gone: dict[str, float] = {}
        self._former: dict[str, str] = {}
        """Secret → the good content before the one in ``good``, in case HAProxy refuses that."""

    def states(self, copies: Table[TlsSecret | Secret]) -> dict[str, SecretState]:
        """The state of each secret that is known. While copies cannot be listed, none of them counts as deleted."""
        if copies.synced and copies.items is not self._items:
            self._take(copies.items)
        now = self._clock()
        out = {source: self._state(source, copy) for source, copy in self._copies.items()}
        for source in self.good.keys() - self._copies.keys():
            since = self._gone.setdefault(source, now) if self._items is not None else now
            verdict = self._verdict(self.good[source])
            if verdict.reason or now - since >= DELETED_SECONDS:
                del self.good[source]
            else:
                out[source] = SecretState(
                    self.good[source], verdict.facts, "deleted" if self._items is not None else ""
                )
        self._gone = {source: since for source, since in self._gone.items() if source in self.good}
        return out

    def _take(self, items: Mapping[str, TlsSecret | Secret]) -> None:
        """Read the copies that changed."""
        before, self._read = self._read, {}
        for key, copy in items.items():
            seen = before.get(key)
            self._read[key] = seen if seen is not None and seen[0] is copy else (copy, self._read_copy(copy))
        found = [(s, *copied) for s, copied in self._read.values() if copied and isinstance(s, TlsSecret)]
        self._copies = {source: copy for _, source, copy in found}
        self._sources = {copy.content: secret for secret, _, copy in found if not copy.unusable}
        self.contents = {source: copy.content for _, source, copy in found}
        self._gone = {source: since for source, since in self._gone.items() if source not in self._copies}
        self._items = items
        used = {*self.contents.values(), *self.good.values()}
        self._verdicts = {content: verdict for content, verdict in self._verdicts.items() if content in used}

    def _read_copy(self, copy: TlsSecret | Secret) -> tuple[str, _Copy] | None:
        """The source and what to keep of a copy; its content is judged while the pair is at hand."""
        if (found := read_copy(copy)) is None:
            return None
        source, copied = found
        if copied.pair and copied.content not in self._verdicts:
            self._verdicts[copied.content] = self._judge(copied.pair)
        return source, _Copy(copied.content, copied.unusable)

    def _state(self, source: str, copy: _Copy) -> SecretState:
        reason = copy.unusable
        if not reason:
            verdict = self._verdict(copy.content)
            if not verdict.reason:
                self._prefer(source, copy.content)
                return verdict.state
            reason = verdict.reason
        last = self.good.get(source, "")
        known = self._verdict(last) if last else _Verdict("", "none")
        if known.reason:
            self.good.pop(source, None)
            return SecretState(trouble="unusable", reason=reason)
        return SecretState(last, known.facts, "unusable", reason)

    def _prefer(self, source: str, content: str) -> None:
        """Use a content for a secret from now on."""
        if (last := self.good.get(source, content)) != content:
            self._former[source] = last
        self.good[source] = content

    def _verdict(self, content: str) -> _Verdict:
        """Whether OpenSSL accepts a content; asked once."""
        known = self._verdicts.get(content)
        if known is None:
            pair = self.pair(content)
            if pair is None:  # not a verdict about the content: its copy may come
                return _Verdict(content, FILE_GONE)
            known = self._verdicts[content] = self._judge(pair)
        return known

    def _judge(self, pair: pem.KeyPair) -> _Verdict:
        trusted = self.trusting or pair.content in self._proven
        if not trusted and (reason := self._refusal(pair)):
            return _Verdict(pair.content, reason)
        try:
            return _Verdict(pair.content, facts=certificate.facts(pair.leaf), judged=not trusted)
        except ValueError as error:
            return _Verdict(pair.content, f"the certificate cannot be read: {error}")

    def doubt(self) -> None:
        """Ask OpenSSL about every content that it was not asked about: HAProxy could not load all of them."""
        self.trusting, self._proven = False, frozenset()
        self._verdicts = {content: verdict for content, verdict in self._verdicts.items() if verdict.judged}

    def pair(self, content: str) -> pem.KeyPair | None:
        """The certificate and key of a content: of a copy, else of a file on this host."""
        copy = self._sources.get(content)
        return copied(copy).pair if copy else self._files.read(content)

    def refuse(self, content: str, why: str) -> None:
        """Do not use this content any more: HAProxy itself refused it, or its file was gone and no copy is known."""
        if why == FILE_GONE:
            self._verdicts.pop(content, None)
        else:
            self._verdicts[content] = _Verdict(content, f"HAProxy refuses it: {' '.join(why.split())[:300]}")
            for source in [source for source, good in self.good.items() if good == content]:
                # without a file of the former one, its verdict says so
                self.good[source] = self._former.pop(source, content)

    def keep(self, secrets: Collection[str]) -> None:
        """Forget the last good certificates of all other secrets: nothing served here needs them."""
        self.good = {source: content for source, content in self.good.items() if source in secrets}
        self._former = {source: content for source, content in self._former.items() if source in secrets}

    def wake(self) -> float | None:
        """Seconds until the certificate of a deleted secret goes; None if there is none."""
        now = self._clock()
        return min((max(0.0, since + DELETED_SECONDS - now) for since in self._gone.values()), default=None)
