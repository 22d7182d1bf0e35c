"""Prepare a new HAProxy process: write its certificates, test its configuration with ``haproxy -c``."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rancherctl.ingress.haproxy import files, render
from rancherctl.ingress.haproxy.authority_files import AuthorityFiles
from rancherctl.ingress.haproxy.certificates import FILE_GONE, CertificateRefusedError
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.pem_files import Pairs, PemFiles
from rancherctl.ingress.haproxy.runtime import HaproxyError

log = logging.getLogger(__name__)


class ConfigRefusedError(HaproxyError):
    """HAProxy rejects a configuration; the running one stays in use."""


class Checker:
    """``ids`` gives the user and group that tests run as; None = those of this process.

    Certificates are not part of a test: OpenSSL accepted each of them, and loading 3,000 takes seconds. After a process
    could not start, ``thorough`` is set, and tests load them. ``refused``: content of a certificate → why a new process
    is started without it.
    """

    def __init__(
        self,
        paths: render.Paths,
        certificates: PemFiles,
        authorities: AuthorityFiles,
        ids: Callable[[], tuple[int, int] | None],
    ) -> None:
        self.thorough = False
        self.refused: dict[str, str] = {}
        self._paths, self._certificates, self._authorities, self._ids = paths, certificates, authorities, ids

    def prepared(self, layout: Layout, pair: Pairs) -> Layout:
        """Write certificates and test a layout; returns it without certificates that cannot be used.

        One of them would keep the new process from serving anything. Raises HaproxyError.
        """
        self.refused.update(
            dict.fromkeys(self.write(layout.contents, layout.default, pair, layout.authorities), FILE_GONE)
        )
        while True:
            layout = _without(layout, self.refused)
            try:
                self.check(layout)
            except CertificateRefusedError as error:
                log.warning("%s: %s", error, error.why)
                self.refused[error.content] = error.why
            else:
                return layout

    def write(
        self, contents: Iterable[str], default: str, pair: Pairs, authorities: Mapping[str, str]
    ) -> frozenset[str]:
        """Write the files of certificates that are missing or damaged, and that of the ``default`` ("" = none).

        Those of ``authorities`` (name → content), too. Returns the contents that are nowhere. Raises HaproxyError.
        """
        with files.writing(self._paths.certificates):
            missing = self._certificates.write(sorted({*contents, default} - {""}), pair)
            missing |= self._authorities.write(authorities)
            if default and default not in missing:
                self._certificates.write_default(default)
        return missing

    def check(self, layout: Layout) -> None:
        """Run ``haproxy -c`` on copies of the files, as the unprivileged user.

        Raises CertificateRefusedError for a certificate, ConfigRefusedError with HAProxy's message, or HaproxyError if
        the test cannot run.
        """
        # A listener that is not strict needs one: the default certificate stays.
        result = self._run(layout, layout if self.thorough else replace(layout, lines=()))
        if result.returncode:
            alerts = [line for line in result.stderr.decode("utf-8", "replace").splitlines() if "ALERT" in line]
            why = (alerts or ["no reason given"])[0][:500]
            named = {content: self._files_of(layout, content) for content in layout.contents}
            named |= {content: {self._paths.authority(name)} for name, content in layout.authorities.items()}
            for content, paths in sorted(named.items()):
                if any(file in line for line in alerts for file in paths):
                    raise CertificateRefusedError(content, why)
            raise ConfigRefusedError("HAProxy rejects the new configuration", why=why)

    def _files_of(self, layout: Layout, content: str) -> set[str]:
        """The files of a certificate."""
        default = {self._paths.default_certificate} if content == layout.default else set()
        return {self._paths.certificate(content)} | default

    def _run(self, layout: Layout, tested: Layout) -> subprocess.CompletedProcess[bytes]:
        folder, ids = Path(self._paths.data) / "check", self._ids()
        group = ids[1] if ids else -1
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o750)
            if ids:
                os.chown(folder, -1, group)
            copies = replace(self._paths, data=str(folder), keys_on_disk=True)
            lists = {
                copies.crt_list_of(port): render.crt_list_text(tested, self._paths, port)
                for port in layout.tls_ports | {0}
            }
            for path, text in (render.files(layout, copies) | lists).items():
                files.write_scratch(Path(path), text.encode(), group=group)
            uid, gid = ids if ids and os.geteuid() == 0 else (None, None)
            command = ["haproxy", "-c", "-f", copies.config]
            groups = () if uid is not None else None
            return subprocess.run(
                command, capture_output=True, timeout=60, check=False, user=uid, group=gid, extra_groups=groups
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise HaproxyError("cannot test the new configuration", why=str(error)) from error


def _without(layout: Layout, contents: Collection[str]) -> Layout:
    """A layout without these certificates; their names are refused then, so plain requests are not redirected."""
    if layout.contents.union(layout.authorities.values()).isdisjoint(contents):
        return layout
    gone = {name for name, content in layout.authorities.items() if content in contents}
    lines = tuple(x for x in layout.lines if x.content not in contents and x.options.authority not in gone)
    authorities = {name: content for name, content in layout.authorities.items() if name not in gone}
    default = "" if layout.default in contents else layout.default
    names = {name for line in lines for name in line.names}
    redirects = layout.maps["to-https"]
    redirects = {site: value for site, value in redirects.items() if default or site.partition(":")[0] in names}
    maps = {**layout.maps, "to-https": redirects}
    return replace(layout, lines=lines, default=default, authorities=authorities, maps=maps)
