"""Load, replace and remove certificates of a running HAProxy.

A failed command leaves a transaction, and HAProxy 2.6 puts the next certificate into it, under the first one's name.
So a failure always ends the transaction, and every answer must name the file that was meant.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal

from rancherctl.ingress.haproxy import commands, crt_list, render
from rancherctl.ingress.haproxy.crt_list import CrtChange, CrtLine, ShownLine
from rancherctl.ingress.haproxy.pem_files import Pairs
from rancherctl.ingress.haproxy.runtime import HaproxyError, Socket

log = logging.getLogger(__name__)
FILE_GONE: Final = "its file on this host is damaged or gone"


class CertificateRefusedError(HaproxyError):
    """HAProxy refuses one certificate, which has this ``content``; it serves everything else."""

    def __init__(self, content: str, why: str) -> None:
        super().__init__("HAProxy refuses a certificate", why=why)
        self.content = content


class RuntimeCertificates:
    """Certificates of the worker behind ``socket``. ``pair`` gives certificate and key of a content.

    ``authority`` gives the authorities of clients' certificates of a file and content.
    """

    def __init__(
        self, socket: Socket, paths: render.Paths, pair: Pairs, authority: Callable[[str, str], str | None]
    ) -> None:
        self._socket, self._paths, self._pair, self._authority = socket, paths, pair, authority

    def load_authorities(self, authorities: Mapping[str, str]) -> int:
        """Load files (name → content), or replace those in use; returns the number of commands. Raises HaproxyError."""
        for name, content in authorities.items():
            file, text = self._paths.authority(name), self._authority(name, content)
            if text is None:
                raise CertificateRefusedError(content, FILE_GONE)
            answer = self._socket.send(f"new ssl ca-file {file}")
            if not answer.startswith("New CA file") and "already exists" not in answer:
                raise HaproxyError("HAProxy cannot add authorities of clients' certificates", why=answer[:300])
            self._replace("ca-file", file, content, text)
        return 3 * len(authorities)

    def remove_authorities(self, names: Collection[str]) -> int:
        """Remove files that no line needs any more; returns the number of commands. Raises HaproxyError."""
        for name in names:
            answer = self._socket.send(f"del ssl ca-file {self._paths.authority(name)}")
            if "deleted" not in answer:
                log.warning("HAProxy keeps authorities that are not used any more: %s", answer[:300])
        return len(names)

    def add(self, change: CrtChange) -> int:
        """Load certificates and add lines; returns the number of commands. Raises HaproxyError."""
        for content in change.install:
            file = self._paths.certificate(content)
            answer = self._socket.send(f"new ssl cert {file}")
            if not answer.startswith("New empty certificate store") and "already exists" not in answer:
                raise HaproxyError("HAProxy cannot add a certificate", why=answer[:300])
            self._fill(content, file)
        for line in change.add:
            self._add(line)
        return 3 * len(change.install) + len(change.add)

    def replace_default(self, content: str) -> int:
        """Give the default certificate another content; returns the number of commands. Raises HaproxyError."""
        self._fill(content, self._paths.default_certificate)
        return 2

    def remove(self, change: CrtChange) -> int:
        """Delete lines, then certificates that no line needs; returns the number of commands. Raises HaproxyError."""
        if change.delete:
            self._delete(change)
        for content in change.forget:
            answer = self._socket.send(f"del ssl cert {self._paths.certificate(content)}")
            if "deleted" not in answer:
                log.warning("HAProxy keeps a certificate that is not used any more: %s", answer[:300])
        return len(change.delete) + len(change.forget)

    def _fill(self, content: str, file: str) -> None:
        pair = self._pair(content)
        if pair is None:
            raise CertificateRefusedError(content, FILE_GONE)
        self._replace("cert", file, content, pair.text)

    def _replace(self, kind: Literal["cert", "ca-file"], file: str, content: str, text: str) -> None:
        """Give a file another text, in a transaction."""
        try:
            answer = self._socket.send(f"set ssl {kind} {file} <<\n{text}", limit=commands.MAX_CERTIFICATE_COMMAND)
            if not answer.lower().startswith("transaction created") or f" {file}!" not in answer:
                raise CertificateRefusedError(content, answer[:300])
            answer = self._socket.send(f"commit ssl {kind} {file}")
            if f"Committing {file}" not in answer or not answer.endswith("Success!"):
                raise CertificateRefusedError(content, answer[:300])
        except HaproxyError:
            self._abort(file, kind)
            raise

    def _abort(self, file: str, kind: Literal["cert", "ca-file"] = "cert") -> None:
        """End a transaction that may be open. If HAProxy does not answer now, it is reloaded later."""
        for command in (f"abort ssl {kind} {file}", f"del ssl {kind} {file}"):
            try:
                log.info("%s: %s", command, self._socket.send(command)[:200])
            except HaproxyError as error:
                log.warning("%s: %s", command, error)

    def _add(self, line: CrtLine) -> None:
        command = commands.add_line(self._paths.crt_list_of(line.port), render.crt_line(line, self._paths))
        answer = self._socket.send(command.text, limit=commands.MAX_CERTIFICATE_COMMAND)
        if not answer.endswith("Success!"):
            self._abort(self._paths.certificate(line.content))
            raise CertificateRefusedError(line.content, answer[-300:])

    def _delete(self, change: CrtChange) -> None:
        """Delete lines in their order. If a file has several of them, the number is needed: HAProxy counts.

        It is asked for all numbers at once: that takes milliseconds if there are thousands of lines.
        """
        files = Counter(line.content for line in (*change.lines, *change.delete))
        several = [line for line in change.delete if files[line.content] > 1]
        numbers = self._numbers({line.port for line in several})
        for line in change.delete:
            shown, path, number = render.shown_line(line, self._paths), self._paths.crt_list_of(line.port), 0
            if files[line.content] > 1:
                if not numbers.get(shown):
                    raise HaproxyError(f"HAProxy has no line for {' '.join(line.names[:3])} any more")
                number = numbers[shown].pop(0)
            self._socket.run([commands.delete_line(path, shown.file, number)])

    def _numbers(self, ports: Collection[int]) -> dict[ShownLine, list[int]]:
        """The numbers of the lines of these ports' crt-lists. They do not change when others are deleted."""
        out: dict[ShownLine, list[int]] = {}
        for port in sorted(ports):
            text = self._socket.send(f"show ssl crt-list -n {self._paths.crt_list_of(port)}")
            for number, shown in crt_list.parse(text):
                out.setdefault(shown._replace(port=port), []).append(number)
        return out
