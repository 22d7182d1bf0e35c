"""Drive one host's HAProxy: write and test its files, reload it, send commands, verify the result."""

from __future__ import annotations

import logging
import pwd
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rancherctl.contract import INGRESS_USER
from rancherctl.ingress.haproxy import files, listener_probe, listeners, observe, process, refusals, render
from rancherctl.ingress.haproxy.authority_files import AuthorityFiles
from rancherctl.ingress.haproxy.certificates import FILE_GONE, CertificateRefusedError, RuntimeCertificates
from rancherctl.ingress.haproxy.checker import Checker
from rancherctl.ingress.haproxy.commands import RuntimeCommand
from rancherctl.ingress.haproxy.layout import Layout, old_workers
from rancherctl.ingress.haproxy.pem_files import Pairs, PemFiles
from rancherctl.ingress.haproxy.plan import Busy, Decision, Reload, Runtime
from rancherctl.ingress.haproxy.reloading import RELOAD_TIMEOUT, Reloading, restart_unit
from rancherctl.ingress.haproxy.runtime import HaproxyError, Socket
from rancherctl.ingress.model import Listener
from rancherctl.ingress.purposes import authorities_content

USER: Final = INGRESS_USER
FORMER_USER: Final = "haproxy"
"""In release 0.1, which shared it with the API balancer. An apply changes host by host, after the agents."""
FROZEN_TIMEOUT: Final = 2.0
"""Seconds."""
CERTIFICATE_SECONDS: Final = 0.02
"""For each certificate, a new worker may take so long in addition; it needs a tenth of that while nothing else runs."""
log = logging.getLogger(__name__)


class OvertakenError(Exception):
    """A reload was given up before anything changed: there is more to load."""


@dataclass(slots=True)
class Counters:
    """Numbers since this agent started."""

    reloads: int = 0
    commands: int = 0


def local_paths(*, keys_on_disk: bool = True) -> render.Paths:
    """The standard paths; with IPv6 if this host has it."""
    ipv6 = "[::]" if Path("/proc/net/if_inet6").exists() else ""
    return render.Paths(ipv6=ipv6, keys_on_disk=keys_on_disk)


class Driver:
    """One running HAProxy.

    ``restart`` starts it if its master is gone. ``start_limit`` is the time for a new worker to answer, in seconds.
    ``user`` is the account that HAProxy runs as: its group may read the files, and configuration tests run under it.
    While the folder still belongs to the group of FORMER_USER, HAProxy runs as that one.
    ``text`` is the digest of the configuration's fixed text, as this release writes it.
    """

    def __init__(
        self,
        paths: render.Paths,
        *,
        restart: Callable[[], None] = restart_unit,
        user: str = USER,
        start_limit: float = 15.0,
        program: Path = process.PROGRAM,
    ) -> None:
        self.paths = paths
        self.program = process.Program(program)
        self.socket = Socket(paths.socket(Layout().generation))
        self.master = Socket(paths.master, RELOAD_TIMEOUT)
        self.counters = Counters()
        self.restart = restart
        self.start_limit = start_limit
        self.text = render.text_digest(paths)
        self._saved: dict[str, tuple[object, files.Identity | None]] = {}
        """The source and identity of each file that this process wrote or compared."""
        self._reloading = Reloading(paths, self.master, self._restart)
        self._user = user
        self.certificates = PemFiles(paths, lambda: self._group)
        self.authorities = AuthorityFiles(paths, lambda: self._group, authorities_content)
        self.checker = Checker(paths, self.certificates, self.authorities, self._ids)

    def use(self, generation: str) -> None:
        """Send commands to the worker of this generation from now on.

        ``admin.sock`` links to its socket, for operators.
        """
        path = Path(self.paths.socket(generation))
        self.socket = Socket(str(path))
        link = path.with_name("admin.sock")
        try:
            if not link.is_symlink() or link.readlink() != Path(path.name):
                link.with_name(".admin.new").unlink(missing_ok=True)
                link.with_name(".admin.new").symlink_to(path.name)
                link.with_name(".admin.new").replace(link)
            for old in path.parent.glob("admin-*.sock"):
                if old != path:
                    old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("cannot remove sockets of earlier workers in %s: %s", path.parent, error)

    @property
    def _group(self) -> int:
        ids = self._ids()
        return ids[1] if ids else -1

    def _ids(self) -> tuple[int, int] | None:
        """The user and group id of the account that reads the files now; None if this host does not have it."""
        try:
            folder = Path(self.paths.data).stat().st_gid
        except OSError:
            folder = -1
        former = _ids(FORMER_USER)
        return former if former and former[1] == folder else _ids(self._user)

    def stop(self) -> None:
        """End a wait that is under way."""
        self._reloading.stop()

    def info(self) -> observe.Info:
        """The worker that answers now. Raises HaproxyError."""
        return observe.info(self.socket)

    def busy(self, pools: tuple[str, ...]) -> Busy:
        """Slots of these pools that still have connections to their last server. Raises HaproxyError."""
        return observe.busy(self.socket, pools)

    def refusals(self) -> str:
        """The log of what HAProxy refused; see refusals.py. Raises HaproxyError."""
        return self.socket.send(refusals.COMMAND, allow_empty=True)

    def differences(self, layout: Layout) -> tuple[str, ...]:
        """How the running HAProxy differs from ``layout``, one line each. Raises HaproxyError."""
        return observe.differences(layout, observe.live(self.socket, self.paths, layout), self.paths)

    def configured(self, wanted: Collection[Listener]) -> tuple[Listener, ...]:
        """The ``wanted`` listeners that HAProxy's file on disk opens.

        Without a state, HAProxy may still have them open.
        """
        try:
            text = Path(self.paths.config).read_text("ascii", "replace")
        except OSError:
            return ()
        return listeners.configured(text, wanted)

    def listener_error(self, listener: Listener) -> str:
        """Why this listener cannot be opened ("" = it can).

        Meaningful only if HAProxy itself does not have it open.
        """
        return listener_probe.open_error(listener)

    def frozen(self, layout: Layout) -> str:
        """Why HAProxy counts as frozen: neither its socket nor its first listener answers in time.

        "" if one of them answers, or if HAProxy is gone, because then its unit restarts it at once.
        """
        try:
            observe.info(Socket(self.socket.path, FROZEN_TIMEOUT))
        except HaproxyError as error:
            if isinstance(error.__cause__, TimeoutError) and not any(
                listener_probe.answers(x, FROZEN_TIMEOUT) for x in layout.listeners[:1]
            ):
                return str(error)
        return ""

    def apply(
        self, decision: Decision, pair: Pairs = lambda _: None, overtaken: Callable[[], bool] = lambda: False
    ) -> Layout:
        """Carry out a decision; returns the layout that HAProxy was verified to have. Raises HaproxyError.

        Runtime commands do not change the files on disk, from which a new process starts: call ``save`` afterwards.
        ``pair`` gives the certificate and key of a content that has no file yet. ``overtaken`` is asked when a reload's
        configuration has been tested; if it is, OvertakenError is raised.
        """
        match decision:
            case Reload():
                layout = replace(decision.layout, generation=secrets.token_hex(4), text=self.text)
                layout = replace(layout, old_workers=old_workers(self._memory()))
                layout = self.checker.prepared(layout, pair)
                if overtaken():
                    raise OvertakenError
                self.save(layout)
                self.checker.thorough = bool(layout.contents)  # until it has been loaded
                self._reload(layout)
                self.checker.thorough = False
                _raise_for(self.differences(layout))
                return layout
            case Runtime(commands=commands, layout=layout):
                contents, authorities = decision.certificates.install, decision.authorities
                if missing := self.checker.write(contents, decision.default, pair, authorities):
                    raise CertificateRefusedError(min(missing), FILE_GONE)
                self._change(decision, commands)
                _raise_for(observe.touched(self.socket, self.paths, layout, decision.pools, decision.keys))
                _raise_for(observe.changed_certificates(self.socket, self.paths, layout, decision.certificates))
        return decision.layout

    def _change(self, decision: Runtime, commands: Iterable[RuntimeCommand]) -> None:
        """Certificates come before the routes of their names, and go after them."""
        running = RuntimeCertificates(self.socket, self.paths, self.certificates.read, self.authorities.find)
        self.counters.commands += self.socket.run(decision.before)
        self.counters.commands += running.load_authorities(decision.authorities)
        self.counters.commands += running.add(decision.certificates)
        if decision.default:
            self.counters.commands += running.replace_default(decision.default)
        self.counters.commands += self.socket.run(commands)
        self.counters.commands += running.remove(decision.certificates)
        self.counters.commands += running.remove_authorities(decision.unused)
        self.counters.commands += self.socket.run(decision.after)

    def save(self, layout: Layout) -> list[str]:
        """Write the files that differ, and return their paths. Raises HaproxyError.

        HAProxy reads them at its next start. While it runs with the text of another release, its configuration file
        stays: a text that HAProxy has not accepted must not be what it starts with.
        """
        wanted = render.renderings(layout, self.paths)
        if layout.text != self.text:
            del wanted[self.paths.config]
        known = self._saved
        texts = {
            path: file.text() for path, file in wanted.items() if known.get(path) != (file.source, _identity(path))
        }
        differing = files.differing(texts)
        group = self._group
        with files.writing(self.paths.data):
            if not self.paths.keys_on_disk:
                self._prepare_boot(wanted, group)
            files.write_all({Path(path): texts[path].encode() for path in differing}, group=group)
        self._saved |= {path: (wanted[path].source, _identity(path)) for path in texts}
        return differing

    def _prepare_boot(self, wanted: Iterable[str], group: int) -> None:
        """Create the folder of files in memory, and their empty copies for the next boot. Raises OSError."""
        self.certificates.make_folder()
        folder = Path(self.paths.boot)
        if not folder.exists():
            files.make_folder(folder, 0o750, group=group)
        for path in wanted:
            copy = folder / Path(path).name
            if Path(path).parent == Path(self.paths.memory) and not copy.exists():
                files.write(copy, b"", group=group)

    def _memory(self) -> int:
        """Bytes that the running worker uses; 0 = unknown."""
        try:
            return process.memory(self.info().pid)
        except HaproxyError:
            return 0

    def _restart(self) -> None:
        self.restart()

    def _reload(self, layout: Layout) -> None:
        """Make a new worker load the files, wait until it answers, and use it. Raises HaproxyError."""
        limit = self.start_limit + CERTIFICATE_SECONDS * len(layout.contents)
        before = self._reloading.ask(layout.generation, limit)
        self.counters.reloads += 1
        self._reloading.wait(layout.generation, limit, before)
        self.use(layout.generation)


def _identity(path: str) -> files.Identity | None:
    return files.identity(Path(path))


def _raise_for(differences: tuple[str, ...]) -> None:
    if differences:
        raise HaproxyError("HAProxy does not have what it was given", why="; ".join(differences))


def _ids(user: str) -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid
